/** A service to be ended from outside: its tool waits, and leaves rejections behind that nobody handles. */
import { type RawSchema, service } from './index.ts';

const input: RawSchema<{ readonly waitMs: number }> = {
  jsonSchema: { type: 'object', required: ['waitMs'], properties: { waitMs: { type: 'number' } } },
};
await service('stubborn', { version: '1.0.0' })
  .tool('Clock.Wait', { description: 'Waits.', input }, async ({ waitMs }) => {
    void Promise.reject(new Error('left behind'));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return { waitMs };
  })
  .listen();
