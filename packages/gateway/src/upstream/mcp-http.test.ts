import type { Era } from '@sallyport/protocol';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMcpHttp, type McpHttpOptions } from './mcp-http.ts';
import { type UpstreamUnderTest, upstreamContract } from './testing/contract.ts';
import { callUpstream, contractTool, fateOf } from './testing/contract-call.ts';
import { type FakeAnswer, type FakeMcpOptions, type Received, startFakeMcpServer } from './testing/fake-mcp-server.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

const toolNames = ['Echo', 'Fail', 'Hang', 'Large', 'Progress'].map((name) => `Contract.${name}`);
const tools = toolNames.map((name) => ({ name, description: name, inputSchema: { type: 'object' } }));
const result = (text: string) => JSON.stringify({ content: [{ type: 'text', text }] });
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function connect(server: Partial<FakeMcpOptions> = {}, options: Partial<McpHttpOptions> = {}) {
  const fake = await startFakeMcpServer({ era: 'modern', tools, ...server });
  cleanups.push(fake.kill);
  const log = pino({ level: 'silent' });
  const clientInfo = { name: 'sallyport', version: '0.1.0' };
  const service = createMcpHttp({ service: 'contract', url: fake.url, clientInfo, log, ...options });
  cleanups.push(() => service.upstream.close());
  await eventually(() => expect(service.manifest()).toBeDefined());
  return { fake, service };
}

function serve(call: Received, answer: FakeAnswer): void {
  const { id, argumentsText } = call;
  const name = call.params.name;
  if (name === 'Contract.Echo') answer.json(result(argumentsText));
  if (name === 'Contract.Fail') answer.json('{"content":[],"isError":true}');
  if (name === 'Contract.Large') answer.json(result('x'.repeat((JSON.parse(argumentsText) as { size: number }).size)));
  if (name === 'Contract.Progress') {
    const token = (call.params._meta as Record<string, unknown>).progressToken;
    for (const progress of token === undefined ? [] : [1, 2, 2]) {
      answer.event({ method: 'notifications/progress', params: { progressToken: token, progress } });
    }
    answer.event({ id, result: JSON.parse(result(argumentsText)) as object }, true);
  }
}

describe.each(['modern', 'legacy'] satisfies Era[])('an MCP server over HTTP of the %s era', (era) => {
  async function start(): Promise<UpstreamUnderTest> {
    const { fake, service } = await connect({ era, onCall: serve });
    return {
      upstream: service.upstream,
      tool: (name) => contractTool('contract', name),
      arrived: () => fake.received.filter(({ method }) => method === 'tools/call').map((call) => call.argumentsText),
      kill: fake.kill,
      cancelled: fake.cancelled,
      close: () => service.upstream.close(),
    };
  }

  for (const { name, run } of upstreamContract) it(name, () => run(start));

  it('is listed with what it offers, page by page', async () => {
    const more = {
      name: 'x',
      title: 'X',
      inputSchema: { type: 'object' },
      annotations: { destructiveHint: true },
      icons: [],
    };
    const { service } = await connect({ era, tools: [...tools, more], pageSize: 2, version: '2.1.0' });
    expect(service.manifest()).toMatchObject({ service: 'contract', version: '2.1.0' });
    expect(service.manifest()?.tools.map(({ name }) => name)).toEqual([...toolNames, 'x']);
    expect(service.manifest()?.tools.at(-1)).toEqual({
      name: 'x',
      title: 'X',
      description: '',
      inputSchema: { type: 'object' },
      sideEffect: 'destructive',
    });
  });

  it('is asked again, and tells of changes', async () => {
    const { fake, service } = await connect({ era }, { refreshMs: 20 });
    const changed = vi.fn();
    service.onChange(changed);
    fake.setTools(tools.slice(0, 1));
    await eventually(() => expect(service.manifest()?.tools).toHaveLength(1));
    expect(changed).toHaveBeenCalledTimes(1);
    await fake.kill();
    await eventually(() => expect(service.alive).toBe(false));
    expect(service.manifest()?.tools).toHaveLength(1);
  });

  it('passes a result on as it is, with what nobody knows', async () => {
    const text = '{ "content" : [ ], "future":{"n":1.0,"big":12345678901234567890}, "resultType":"complete" }';
    const { service } = await connect({ era, onCall: (_call, answer) => answer.json(text) });
    expect((await callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') })).text).toBe(text);
  });

  it.each([
    [200, -32602, 'invalid_input'],
    [400, -32602, 'invalid_input'],
    [200, -32603, 'upstream_failed'],
    [400, -32020, 'upstream_failed'],
    [500, -32603, 'upstream_failed'],
  ])('that answers HTTP %i with error %i is %s, without its words', async (status, code, reason) => {
    const { service } = await connect({
      era,
      onCall: (_call, answer) => answer.error(status, { code, message: 'password=hunter2' }),
    });
    const call = callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') });
    await expect(call).rejects.toMatchObject({ reason, message: expect.not.stringContaining('hunter2'), details: {} });
  });

  it.each([429, 503])('that answers HTTP %i without a message is upstream_unavailable', async (status) => {
    const { service } = await connect({
      era,
      onCall: (_call, { response }) => void response.writeHead(status).end('busy'),
    });
    const call = callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') });
    expect(await fateOf(call)).toBe('upstream_unavailable');
  });

  it('cannot make the gateway hold more than a bounded answer', async () => {
    const huge = (_call: Received, answer: FakeAnswer) => answer.json(result('x'.repeat(100_000)));
    const { service } = await connect({ era, onCall: huge }, { maxBytes: 50_000 });
    const call = callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') });
    expect(await fateOf(call)).toBe('upstream_failed');
  });

  it('does not see what the caller showed, only what is meant for it', async () => {
    const { fake, service } = await connect({ era });
    const tool = contractTool('contract', 'Contract.Echo');
    await callUpstream(service.upstream, { tool });
    await callUpstream(service.upstream, { tool, credential: { kind: 'bearer', token: 'for-upstream' } });
    const shown = fake.received
      .filter(({ method }) => method === 'tools/call')
      .map(({ headers }) => headers.authorization);
    expect(shown).toEqual([undefined, 'Bearer for-upstream']);
  });

  it('gets the trace in headers and in _meta', async () => {
    const { fake, service } = await connect({ era });
    await callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') });
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    expect(fake.received.at(-1)).toMatchObject({ headers: { traceparent }, params: { _meta: { traceparent } } });
  });
});

describe('an MCP server of the modern era', () => {
  it('gets what describes each request, in headers and in the body alike', async () => {
    const { fake, service } = await connect();
    const inputSchema = {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, n: { type: 'integer', 'x-mcp-header': 'N' } },
    };
    const tool = contractTool('contract', 'Contract.Écho', { inputSchema });
    await callUpstream(service.upstream, { tool, argumentsText: '{"region":"zürich","n":3}' });
    expect(fake.received.at(-1)).toMatchObject({
      headers: {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': `=?base64?${Buffer.from('Contract.Écho').toString('base64')}?=`,
        'mcp-param-region': `=?base64?${Buffer.from('zürich').toString('base64')}?=`,
        'mcp-param-n': '3',
      },
      params: {
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
          'io.modelcontextprotocol/clientInfo': { name: 'sallyport' },
        },
      },
    });
  });

  it('that wants something from the caller has no answer', async () => {
    const { service } = await connect({ onCall: (_call, answer) => answer.json('{"resultType":"input_required"}') });
    const call = callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') });
    expect(await fateOf(call)).toBe('upstream_failed');
  });
});

describe('an MCP server of the legacy era', () => {
  it('keeps its session, and gets a new one when it forgot the old', async () => {
    const { fake, service } = await connect({ era: 'legacy' });
    const call = () => fateOf(callUpstream(service.upstream, { tool: contractTool('contract', 'Contract.Echo') }));
    expect(await call()).toBe(result('{}'));
    fake.forgetSessions();
    expect(await call()).toBe('upstream_unavailable');
    await eventually(async () => expect(await call()).toBe(result('{}')));
    const sessions = fake.received
      .filter(({ method }) => method === 'tools/call')
      .map(({ headers }) => headers['mcp-session-id']);
    expect(sessions[0]).toBeDefined();
    expect(sessions.at(-1)).not.toBe(sessions[0]);
  });
});
