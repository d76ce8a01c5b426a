import { service } from '@sallyport/kit';
import { z } from 'zod';
import { announceTarget } from '../target.ts';

/** A kit service whose one tool does nothing, reached by the gateway over the hop and by others over its MCP face. */
const token = 'bench-token-of-at-least-thirty-two-characters';
const bench = service('bench', { version: '1.0.0', owner: 'bench' });
bench.tool(
  'Echo.Say',
  {
    description: 'Answers as many bytes as the other contenders do.',
    sideEffect: 'read',
    input: z.object({ text: z.string().min(1) }),
    output: z.object({ text: z.string() }),
  },
  ({ text }) => ({ text: text.slice(0, 90) }),
);
const { mcpUrl } = await bench.listen({ mcp: { port: 0, token } });
announceTarget(Number(new URL(mcpUrl ?? '').port), { token });
