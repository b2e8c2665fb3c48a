import Fastify from 'fastify';
import items from './items.js';

const app = Fastify({ logger: true });
app.get('/health', async () => ({ ok: true }));
app.register(items, { prefix: '/v1' });
await app.listen({ port: 3000, host: '0.0.0.0' });
