import { Client, type ClientCapabilities, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

/** What a scenario for clients hands over. */
export interface Talk {
  readonly url: URL;
  /** The revision to speak. */
  readonly revision: string;
  /** What the scenario adds: the calls to make, for some. */
  readonly context: { readonly toolCalls?: readonly ToolCall[] };
}

interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

const capabilities: ClientCapabilities = {
  elicitation: { form: { applyDefaults: true } },
  sampling: {},
  roots: { listChanged: true },
};

/** What the client does in each scenario, by name: as little as the scenario has to see. */
export const talks: Readonly<Record<string, (talk: Talk) => Promise<void>>> = {
  initialize: (talk) => withClient(talk, listTools),
  tools_call: (talk) =>
    withClient(talk, async (client) => {
      await client.listTools();
      await client.callTool({ name: 'add_numbers', arguments: { a: 5, b: 3 } });
    }),
  'elicitation-sep1034-client-defaults': (talk) => callsOf(talk, ['test_client_elicitation_defaults']),
  'sse-retry': (talk) => callsOf(talk, ['test_reconnection']),
  'json-schema-2020-12-preservation': (talk) =>
    withClient(talk, async (client) => {
      const { tools } = await client.listTools();
      const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
      const echo = tools.find(({ name }) => name !== 'json_schema_2020_12_tool')?.name;
      if (echo !== undefined) await client.callTool({ name: echo, arguments: { schema } });
    }),
  'request-metadata': (talk) => withClient(talk, listTools),
  'json-schema-ref-no-deref': (talk) => withClient(talk, listTools),
  'sep-2322-client-request-state': (talk) =>
    callsOf(talk, ['test_mrtr_echo_state', 'test_mrtr_no_state', 'test_mrtr_unrelated', 'test_mrtr_no_result_type']),
  'http-standard-headers': (talk) =>
    withClient(talk, async (client) => {
      for (const { name } of (await client.listTools()).tools) await client.callTool({ name });
      for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
      for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
    }),
  'http-custom-headers': (talk) =>
    withClient(talk, async (client) => {
      await client.listTools();
      for (const call of talk.context.toolCalls ?? [])
        await client.callTool({ ...call, arguments: { ...call.arguments } });
    }),
  'http-invalid-tool-headers': (talk) =>
    withClient(talk, async (client) => {
      for (const { name } of (await client.listTools()).tools) {
        await client.callTool({ name, arguments: { region: 'here' } }).catch(() => undefined);
      }
    }),
};

async function listTools(client: Client): Promise<void> {
  await client.listTools();
}

/** Lists the tools and calls these; an answer that the client does not take does not keep it from the next. */
function callsOf(talk: Talk, names: readonly string[]): Promise<void> {
  return withClient(talk, async (client) => {
    await client.listTools();
    for (const name of names) await client.callTool({ name }).catch(() => undefined);
  });
}

async function withClient({ url, revision }: Talk, body: (client: Client) => Promise<void>): Promise<void> {
  const isModern = revision >= '2026';
  const client = new Client(
    { name: 'sallyport-conformance-client', version: '1.0.0' },
    { capabilities, versionNegotiation: { mode: isModern ? 'auto' : 'legacy' } },
  );
  answerQuestions(client);
  await client.connect(new StreamableHTTPClientTransport(url));
  try {
    await body(client);
  } finally {
    await client.close();
  }
}

function answerQuestions(client: Client): void {
  client.setRequestHandler('elicitation/create', ({ params }) => {
    // A form with defaults is sent back empty: filling it in is the client's work.
    const isConfirmation = 'requestedSchema' in params && 'confirmed' in params.requestedSchema.properties;
    return { action: 'accept', content: isConfirmation ? { confirmed: true } : {} };
  });
  client.setRequestHandler('roots/list', () => ({ roots: [] }));
  client.setRequestHandler('sampling/createMessage', () => ({
    role: 'assistant',
    content: { type: 'text', text: 'Nothing.' },
    model: 'none',
  }));
}
