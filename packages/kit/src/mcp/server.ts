import { randomBytes, randomUUID } from 'node:crypto';
import { ProtocolError, Server, type ServerContext } from '@modelcontextprotocol/server';
import { formatTraceparent, parseTraceparent, type ToolManifest } from '@sallyport/protocol';
import type { Answer } from '../answer.ts';
import type { Principal } from '../tool-options.ts';
import type { McpEndpointOptions } from './endpoint.ts';

/** Nobody vouches for more than this about whoever holds the endpoint's token. */
const direct: Principal = { subject: 'direct', client: 'mcp', kind: 'agent', scopes: [], attributes: {} };

const defaultTimeoutMs = 30_000;

/** Makes the SDK's server over the service's own handler table. The SDK wants a fresh one for every request. */
export function createMcpServer({ manifest, runner, callTool }: McpEndpointOptions): Server {
  const { service: name, version } = manifest;
  const server = new Server({ name, version }, { capabilities: { tools: {} } });
  const timeouts = new Map(manifest.tools.map((tool) => [tool.name, tool.timeoutMs]));
  server.setRequestHandler('tools/list', () => ({ tools: manifest.tools.map(describe) }));
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const onProgress = progressTo(context);
      const cancel = runner.start(
        {
          tool: params.name,
          id: randomUUID(),
          traceparent: childTrace(context),
          timeoutMs: timeouts.get(params.name) ?? defaultTimeoutMs,
          principal: direct,
          arguments: params.arguments ?? {},
          callTool,
          ...(onProgress && { onProgress }),
        },
        resolve,
      );
      context.mcpReq.signal.addEventListener('abort', () => {
        cancel();
        reject(context.mcpReq.signal.reason);
      });
    });
    if (answer.kind === 'error') {
      throw new ProtocolError(answer.error.code, answer.error.message, answer.error.data);
    }
    return JSON.parse(answer.text);
  });
  return server;
}

function describe(tool: ToolManifest) {
  const { name, title, description, inputSchema, outputSchema, sideEffect, idempotent } = tool;
  return {
    name,
    ...(title !== undefined && { title }),
    description,
    inputSchema: { ...inputSchema, type: 'object' as const },
    ...(outputSchema && { outputSchema: { ...outputSchema, type: 'object' as const } }),
    annotations: {
      readOnlyHint: sideEffect === 'read',
      destructiveHint: sideEffect === 'destructive',
      idempotentHint: idempotent === true,
    },
  };
}

/** The caller's trace goes on; without one, or with a broken one, a new trace begins. */
function childTrace({ mcpReq }: ServerContext): string {
  const sent = mcpReq._meta?.traceparent;
  const parent = typeof sent === 'string' ? parseTraceparent(sent) : undefined;
  return formatTraceparent({
    traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    sampled: parent?.sampled ?? false,
  });
}

function progressTo({ mcpReq }: ServerContext) {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return (progress: { readonly progress: number; readonly total?: number; readonly message?: string }): void => {
    // A caller that is gone hears nothing; its call ends by its own signal.
    mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...progress } }).catch(() => undefined);
  };
}
