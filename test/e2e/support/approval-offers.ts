// A server of the second SDK with a prompt, a resource, and a tool that asks something before it does anything.
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const answers = z.object({ sure: z.boolean() });

serveStdio(() => {
  const server = new McpServer({ name: 'offers', version: '1.0.0' });

  server.registerPrompt('digest', { argsSchema: z.object({}) }, () => ({
    messages: [{ role: 'user' as const, content: { type: 'text' as const, text: 'Digest this.' } }],
  }));

  server.registerResource('note', 'note://1', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'a note' }] }));

  server.registerTool('confirm', { inputSchema: z.object({}) }, async (_args, ctx) => {
    const sure = acceptedContent(ctx.mcpReq.inputResponses, 'sure', answers);
    if (sure !== undefined) return { content: [{ type: 'text' as const, text: JSON.stringify(sure) }] };
    return inputRequired({
      inputRequests: { sure: inputRequired.elicit({ message: 'Sure?', requestedSchema: answers }) },
    });
  });

  return server;
});
