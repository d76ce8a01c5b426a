import {
  completable,
  createMcpHandler,
  InMemoryServerEventBus,
  inputRequired,
  inputResponse,
  McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { form, greeting, note, sampling, text } from './features.ts';

/**
 * A server of the second SDK with every feature of the matrix: one for each request. It speaks the modern era; without
 * `isModernOnly` the legacy one too, as the SDK has it by default: without sessions, so that it can ask nothing there.
 */
export function createSecondHandler({ isModernOnly }: { readonly isModernOnly: boolean }) {
  const bus = new InMemoryServerEventBus();
  const shared = { cancelled: 0, grown: 0 };
  const create = (): McpServer => {
    const server = new McpServer(
      { name: 'second', version: '1.0.0' },
      {
        capabilities: { logging: {}, tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } },
      },
    );
    const empty = z.object({});
    server.registerTool('echo', { inputSchema: z.object({ said: z.string() }) }, async ({ said }) => text(said));
    server.registerTool('steps', { inputSchema: empty }, async (_args, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (const progress of [1, 2, 3]) {
        if (progressToken === undefined) break;
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
      }
      return text('done');
    });
    server.registerTool('hang', { inputSchema: empty }, async (_args, { mcpReq }) => {
      await new Promise<void>((resolve) => mcpReq.signal.addEventListener('abort', () => resolve()));
      shared.cancelled += 1;
      return text('too late');
    });
    server.registerTool('cancelled', { inputSchema: empty }, async () => text(String(shared.cancelled)));
    server.registerTool('ask', { inputSchema: empty }, async (_args, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'form');
      if (answer.kind === 'elicit') return text(JSON.stringify(answer.content));
      return inputRequired({ inputRequests: { form: inputRequired.elicit(form) } });
    });
    server.registerTool('sample', { inputSchema: empty }, async (_args, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'model');
      if (answer.kind === 'sampling') return text(JSON.stringify(answer.result.content));
      return inputRequired({
        inputRequests: { model: { method: 'sampling/createMessage', params: structuredClone(sampling) as never } },
      });
    });
    server.registerTool('roots', { inputSchema: empty }, async (_args, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'folders');
      if (answer.kind === 'roots') return text(JSON.stringify(answer.roots));
      return inputRequired({ inputRequests: { folders: inputRequired.listRoots() } });
    });
    server.registerTool('grow', { inputSchema: empty }, async () => {
      shared.grown += 1;
      bus.publish({ kind: 'tools_list_changed' });
      return text('grown');
    });
    server.registerTool('touch', { inputSchema: empty }, async () => {
      bus.publish({ kind: 'resource_updated', uri: note });
      return text('touched');
    });
    for (let i = 0; i < shared.grown; i++) server.registerTool(`grown-${i}`, { inputSchema: empty }, () => text(''));
    const names = completable(z.string(), (value) => ['ada', 'alan', 'bob'].filter((name) => name.startsWith(value)));
    server.registerPrompt('greet', { argsSchema: z.object({ name: names }) }, ({ name }) => greeting(name));
    server.registerResource('one', note, {}, ({ href }) => ({ contents: [{ uri: href, text: '1' }] }));
    const notes = new ResourceTemplate('note://{id}', { list: undefined, complete: { id: () => ['x', 'y'] } });
    server.registerResource('any', notes, {}, ({ href }, { id }) => ({ contents: [{ uri: href, text: String(id) }] }));
    return server;
  };
  return createMcpHandler(create, { bus, ...(isModernOnly && { legacy: 'reject' }) });
}
