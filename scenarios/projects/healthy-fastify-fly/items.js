export default async function (app) {
  app.get('/items/:id', async (request) => ({ id: request.params.id }));
}
