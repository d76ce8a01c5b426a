import { Client, InsufficientScopeError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { z } from 'zod';

/** What an agent is told about one call, whichever way its client library says it. */
export interface Seen {
  readonly outcome: 'answered' | 'tool error' | 'refused';
  /** The words, as the agent would read them. */
  readonly text: string;
  /** The answer, if there is one. */
  readonly value?: Readonly<Record<string, unknown>>;
}

/** An agent with a token, speaking MCP. */
export interface Agent {
  readonly protocolVersion: string;
  toolNames(): Promise<readonly string[]>;
  /** The input schema of a tool, as this agent is shown it. */
  schemaOf(tool: string): Promise<unknown>;
  call(tool: string, input: object): Promise<Seen>;
  close(): Promise<void>;
}

/** Connects a real MCP client over Streamable HTTP. */
export async function connectAgent(mcpUrl: string, token: string): Promise<Agent> {
  const client = new Client({ name: 'story', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const headers = { Authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit: { headers } }));
  return {
    protocolVersion: client.getNegotiatedProtocolVersion() ?? 'unknown',
    toolNames: async () => (await client.listTools()).tools.map((tool) => tool.name),
    schemaOf: async (name) => (await client.listTools()).tools.find((tool) => tool.name === name)?.inputSchema,
    call: async (name, input) => {
      try {
        return fromResult(await client.callTool({ name, arguments: { ...input } }));
      } catch (error) {
        return { outcome: 'refused', text: refusalText(error) };
      }
    },
    close: () => client.close(),
  };
}

const result = z.looseObject({
  isError: z.boolean().optional(),
  content: z.array(z.looseObject({ text: z.string().optional() })),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  _meta: z
    .looseObject({ 'dev.sallyport/error': z.looseObject({ reason: z.string().optional() }).optional() })
    .optional(),
});

function fromResult(raw: unknown): Seen {
  const { isError, content, structuredContent: value, _meta } = result.parse(raw);
  const text = content.map((part) => part.text ?? '').join(' ');
  if (!isError) return { outcome: 'answered', text, ...(value && { value }) };
  // A refusal carries the gateway's reason; an error of the tool itself does not.
  const isRefusal = _meta?.['dev.sallyport/error']?.reason !== undefined;
  return { outcome: isRefusal ? 'refused' : 'tool error', text };
}

const httpBody = z.object({ text: z.string() });
const rpcError = z.object({ error: z.object({ message: z.string() }) });

/** Client libraries wrap what the gateway says in words of their own; what it says itself is inside. */
function refusalText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof InsufficientScopeError) return error.message;
  const body = httpBody.safeParse('data' in error ? error.data : undefined);
  if (!body.success) return error.message;
  try {
    return rpcError.parse(JSON.parse(body.data.text)).error.message;
  } catch {
    return error.message;
  }
}
