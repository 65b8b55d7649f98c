// The peer of `POST /v1/sessions/{id}/messages`: fastify validates, BullMQ adds a job to the tenant's queue, 202.
// Leaner than what it is compared with: no limit per key, no quota, no idempotency, no events, and redis syncs once a
// second, so that an answer does not mean "on disk".
const { randomUUID } = require('node:crypto');
const { Queue } = require('bullmq');
const Redis = require('ioredis');

const connection = new Redis({ host: '127.0.0.1', port: +process.env.REDIS_PORT, maxRetriesPerRequest: null });
const tenants = new Map();
for (let number = 0; number < +process.env.TENANTS; number += 1) {
  tenants.set(`Bearer key-${number}`, new Queue(`tenant-${number}`, { connection }));
}

const body = {
  type: 'object',
  required: ['to', 'type', 'text'],
  additionalProperties: false,
  properties: {
    to: { type: 'string', pattern: '^\\+[1-9][0-9]{6,14}$' },
    type: { type: 'string', enum: ['text'] },
    text: {
      type: 'object',
      required: ['body'],
      additionalProperties: false,
      properties: { body: { type: 'string', minLength: 1, maxLength: 4096 } },
    },
  },
};
const response = {
  202: { type: 'object', properties: { id: { type: 'string' }, to: { type: 'string' }, status: { type: 'string' } } },
};
const options = { removeOnComplete: true, removeOnFail: true, attempts: 5 };

const app = require('fastify')({ logger: false });
app.post('/v1/sessions/:session/messages', { schema: { body, response } }, async (request, reply) => {
  const queue = tenants.get(request.headers.authorization);
  if (!queue) return reply.code(401).send({ code: 'unauthorized' });
  const id = randomUUID();
  const { to, type, text } = request.body;
  await queue.add(type, { id, session: request.params.session, to, text, at: Date.now() }, options);
  reply.code(202);
  return { id, to, status: 'queued' };
});

Promise.all([...tenants.values()].map((queue) => queue.waitUntilReady()))
  .then(() => app.listen({ host: '127.0.0.1', port: 0 }))
  .then(() => console.log(`listens on 127.0.0.1:${app.server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
