/** A service to be ended from outside: its tool waits, and leaves rejections behind that nobody handles. */
import { z } from 'zod';
import { service } from './index.ts';

const input = z.object({ waitMs: z.number(), stubborn: z.boolean().optional() });
await service('stubborn', { version: '1.0.0' })
  .tool('Clock.Wait', { description: 'Waits.', input }, async ({ waitMs }) => {
    void Promise.reject(new Error('left behind'));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return { waitMs };
  })
  .listen();
