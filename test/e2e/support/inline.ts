/**
 * A service as text, for `node --input-type=module -e`: there is no file with its source, as in an image that holds only
 * what was built.
 */
export const inlineService = `
import { service } from '@sallyport/kit';
import { z } from 'zod';
const s = service('inline', { version: '1.0.0' });
s.tool('Order.Place', {
  description: 'Place an order. Use it once the customer agreed.',
  scopes: ['inline:use'], sideEffect: 'write',
  input: z.object({
    lines: z.array(z.object({ sku: z.string().describe('Stock number.'), count: z.int().min(1) })).min(1),
    due: z.iso.datetime().optional(),
    speed: z.enum(['slow', 'fast']),
    notes: z.record(z.string(), z.string()).optional(),
  }),
  output: z.object({ id: z.string(), total: z.number() }),
  examples: [{ input: { lines: [{ sku: 'a-1', count: 2 }], speed: 'fast' } }],
}, ({ lines, speed }) => ({ id: 'o-1', total: speed === 'fast' ? 'much' : lines.length }));
await s.listen();
`;
