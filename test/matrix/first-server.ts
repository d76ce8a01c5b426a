import { completable } from '@modelcontextprotocol/sdk/server/completable.js';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
  SubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { form, greeting, note, sampling, text } from './features.ts';

/** What all sessions of one server share. */
export interface Shared {
  readonly servers: Set<McpServer>;
  cancelled: number;
}

/** Nothing happened yet. */
export const nothingYet = (): Shared => ({ servers: new Set(), cancelled: 0 });

/** A server of the first SDK, legacy only, with every feature of the matrix: one for each session. */
export function createFirstServer(shared: Shared): McpServer {
  const server = new McpServer(
    { name: 'first', version: '1.0.0' },
    { capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } } },
  );
  shared.servers.add(server);
  server.server.onclose = () => shared.servers.delete(server);
  const all = [...shared.servers];

  server.registerTool('echo', { inputSchema: { said: z.string() } }, async ({ said }) => text(said));
  server.registerTool('steps', { inputSchema: {} }, async (_args, { _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken;
    for (const progress of [1, 2, 3]) {
      if (progressToken === undefined) break;
      await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
    }
    return text('done');
  });
  server.registerTool('hang', { inputSchema: {} }, async (_args, { signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    shared.cancelled += 1;
    return text('too late');
  });
  server.registerTool('cancelled', { inputSchema: {} }, async () => text(String(shared.cancelled)));
  server.registerTool('ask', { inputSchema: {} }, async (_args, { sendRequest }) => {
    const answer = await sendRequest({ method: 'elicitation/create', params: form }, ElicitResultSchema);
    return text(JSON.stringify(answer.content));
  });
  server.registerTool('sample', { inputSchema: {} }, async (_args, { sendRequest }) => {
    const answer = await sendRequest({ method: 'sampling/createMessage', params: sampling }, CreateMessageResultSchema);
    return text(JSON.stringify(answer.content));
  });
  server.registerTool('roots', { inputSchema: {} }, async (_args, { sendRequest }) => {
    const { roots } = await sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
    return text(JSON.stringify(roots));
  });
  server.registerTool('grow', { inputSchema: {} }, async () => {
    for (const each of new Set([...all, ...shared.servers])) {
      each.registerTool(`grown-${shared.servers.size}-${Math.random()}`, { inputSchema: {} }, async () => text(''));
    }
    return text('grown');
  });
  server.registerTool('touch', { inputSchema: {} }, async () => {
    for (const each of shared.servers) await each.server.sendResourceUpdated({ uri: note }).catch(() => undefined);
    return text('touched');
  });
  const names = completable(z.string(), (value) => ['ada', 'alan', 'bob'].filter((name) => name.startsWith(value)));
  server.registerPrompt('greet', { argsSchema: { name: names } }, ({ name }) => greeting(name));
  server.registerResource('one', note, {}, ({ href }) => ({ contents: [{ uri: href, text: '1' }] }));
  const notes = new ResourceTemplate('note://{id}', { list: undefined, complete: { id: () => ['x', 'y'] } });
  server.registerResource('any', notes, {}, ({ href }, { id }) => ({ contents: [{ uri: href, text: String(id) }] }));
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  return server;
}
