// A stdio server of the second SDK, which speaks the era that it is spoken to in.
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });
const answers = z.object({ sure: z.boolean() });

serveStdio(() => {
  const server = new McpServer(
    { name: 'second', version: '2.0.0' },
    { capabilities: { tools: { listChanged: true } } },
  );

  const numbers = z.object({ a: z.number(), b: z.number() });
  server.registerTool('add', { inputSchema: numbers }, async ({ a, b }) => text(String(a + b)));

  server.registerTool('confirm', { inputSchema: z.object({}) }, async (_args, ctx) => {
    const sure = acceptedContent(ctx.mcpReq.inputResponses, 'sure', answers);
    if (sure !== undefined) return text(JSON.stringify(sure));
    return inputRequired({
      inputRequests: { sure: inputRequired.elicit({ message: 'Sure?', requestedSchema: answers }) },
    });
  });

  server.registerTool('wait', { inputSchema: z.object({}) }, async (_args, { mcpReq }) => {
    await new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve, { once: true }));
    return text('never seen');
  });

  server.registerTool('grow', { inputSchema: z.object({}) }, async () => {
    server.registerTool(`extra-${Date.now()}`, { inputSchema: z.object({}) }, async () => text('extra'));
    return text('grown');
  });

  return server;
});
