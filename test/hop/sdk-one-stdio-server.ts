// A stdio server of the first SDK, which speaks the legacy era alone.
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'first', version: '1.4.2' }, { capabilities: { logging: {}, resources: {} } });
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

server.registerTool('add', { inputSchema: { a: z.number(), b: z.number() } }, async ({ a, b }) => text(String(a + b)));

server.registerTool('confirm', { inputSchema: {} }, async () => {
  const requestedSchema = { type: 'object' as const, properties: { sure: { type: 'boolean' as const } } };
  const { action, content } = await server.server.elicitInput({ message: 'Sure?', requestedSchema });
  return text(JSON.stringify({ action, content }));
});

server.registerTool('work', { inputSchema: {} }, async (_args, extra) => {
  const progressToken = extra._meta?.progressToken;
  for (const progress of [1, 2, 3]) {
    if (progressToken === undefined) break;
    await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
  }
  await server.sendLoggingMessage({ level: 'info', data: 'done' });
  return text('worked');
});

server.registerTool('wait', { inputSchema: {} }, async (_args, extra) => {
  if (!extra.signal.aborted) {
    await new Promise((resolve) => extra.signal.addEventListener('abort', resolve, { once: true }));
  }
  await server.sendLoggingMessage({ level: 'info', data: 'cancelled' });
  return text('never seen');
});

server.registerResource('note', 'note://one', {}, async (uri) => ({ contents: [{ uri: uri.href, text: 'one' }] }));
server.registerResource('notes', new ResourceTemplate('note://{id}', { list: undefined }), {}, async (uri) => ({
  contents: [{ uri: uri.href, text: 'any' }],
}));
server.registerPrompt('greet', { argsSchema: { name: z.string() } }, ({ name }) => ({
  messages: [{ role: 'user', content: { type: 'text', text: `Greet ${name}` } }],
}));

// The SDK's own types disagree about optional members.
await server.connect(new StdioServerTransport() as never);
