module.exports = async function (fastify) {
  fastify.post('/items', async (request) => request.body);
};
