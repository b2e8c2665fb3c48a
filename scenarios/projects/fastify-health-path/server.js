const fastify = require('fastify')({ logger: true });
const items = require('./items');

fastify.get('/health', async () => ({ ok: true }));
fastify.register(items, { prefix: '/v1' });
fastify.listen({ port: process.env.PORT || 3000, host: '0.0.0.0' });
