import { service } from '@sallyport/kit';
import { z } from 'zod';

/** A service with very many tools. */
const many = service('many', { version: '1.0.0' });
for (let i = 0; i < 450; i++) {
  many.tool(
    `Many.T${(i * 7) % 450}`,
    { description: `Number ${i}.`, scopes: ['many:use'], sideEffect: 'read', input: z.object({}) },
    () => ({ i }),
  );
}
await many.listen();
