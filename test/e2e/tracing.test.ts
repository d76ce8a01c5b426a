import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sallyport, startGateway, type TestGateway, trialService, writeConfig } from './support/gateway.ts';
import { endAll, repository, startNode, temporaryFolder } from './support/program.ts';
import { type Collector, type ReceivedSpan, startCollector, treeOf } from './support/spans.ts';

const open: Collector[] = [];
afterEach(async () => {
  await endAll();
  for (const collector of open.splice(0)) collector.close();
});

async function collector(): Promise<Collector> {
  const started = await startCollector();
  open.push(started);
  return started;
}

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const agentSpan = '00f067aa0ba902b7';
const proxySpan = 'a3ce929d0e0e4736';

interface Sent {
  readonly name: string;
  readonly arguments?: object;
  readonly token?: string;
  readonly sampled?: '00' | '01';
}

/** As an agent with a trace of its own calls, through a proxy that has one, too. */
async function send(gateway: TestGateway, { name, token = gateway.token, sampled = '01', ...more }: Sent) {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    traceparent: `00-${traceId}-${agentSpan}-${sampled}`,
    baggage: 'secret=planted,team=blog;owner=x',
  };
  const params = { name, arguments: more.arguments ?? {}, _meta: meta };
  const response = await fetch(gateway.mcp, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
      traceparent: `00-${traceId}-${proxySpan}-${sampled}`,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'seven', method: 'tools/call', params }),
  });
  return { status: response.status, text: await response.text(), callId: response.headers.get('mcp-trace-id') };
}

const fast = { OTEL_BSP_SCHEDULE_DELAY: '20' };

test('one trace goes from the agent through the gateway, posts and users to their databases', async () => {
  const { url, spans } = await collector();
  const blog = ['users', 'posts']
    .map((name) => {
      const more = name === 'posts' ? ', dependsOn: [users], scopes: [users:read]' : '';
      const env = `{ OTEL_EXPORTER_OTLP_ENDPOINT: "${url}", OTEL_SERVICE_NAME: ${name} }`;
      const preload = join(import.meta.dirname, 'support/traced-service.ts');
      return `  ${name}: { command: [node, --import, ${preload}, ${name}.ts], cwd: ${repository}/examples/blog, env: ${env}${more} }`;
    })
    .join('\n');
  const config = writeConfig(temporaryFolder(), `services:\n${blog}\n`);
  const gateway = await startGateway('run', config, { env: { ...fast, OTEL_EXPORTER_OTLP_ENDPOINT: url } });
  const draft = { author: 'ada', title: 'planted-title', body: 'planted-body' };
  const answered = await send(gateway, { name: 'posts.PostService.Create', arguments: draft });
  expect(answered.status).toBe(200);
  const ours = (): readonly ReceivedSpan[] => spans.filter((span) => span.traceId === traceId);
  await expect.poll(() => ours().length, { timeout: 10_000 }).toBe(10);
  expect(treeOf(ours(), agentSpan)).toBe(
    [
      'sallyport server tools/call posts.PostService.Create',
      '  sallyport internal mcp.tool.call',
      '    sallyport client tools/call posts.PostService.Create',
      '      posts server tools/call PostService.Create',
      '        sallyport server tools/call users.UserService.Get',
      '          sallyport internal mcp.tool.call',
      '            sallyport client tools/call users.UserService.Get',
      '              users server tools/call UserService.Get',
      '                users client SELECT',
      '        posts client INSERT',
      '',
    ].join('\n'),
  );
  // The same by the records alone, for those who have no collector.
  const words = [...sallyport, 'trace', traceId, '--config', config];
  const printed = startNode(words, { env: { NO_COLOR: '1' } });
  await printed.ended;
  expect(printed.stdout()).toMatch(
    new RegExp(
      `^trace ${traceId} 2 calls\nposts.PostService.Create +answered +[\\d.]+ ms +run +\\S+\n└─ users.UserService.Get +answered +[\\d.]+ ms +run via service:posts +\\S+\n$`,
    ),
  );
  const [got, created] = await gateway.records({ traceId });
  expect(created).toMatchObject({ parentSpanId: agentSpan, requestId: 'seven' });
  expect(got).toMatchObject({ parentCall: created?.callId });
});

test('a span says what came of a call, and nothing that its caller wrote', async () => {
  const { url, spans, text } = await collector();
  const config = writeConfig(temporaryFolder(), `services:\n${trialService('trials')}\n`);
  const env = { ...fast, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces`, OTEL_SERVICE_NAME: 'gate' };
  const gateway = await startGateway('run', config, { env });
  const tool = 'trials.Trial.Limited';
  const { callId } = await send(gateway, { name: tool, arguments: { planted: 'planted' } });
  await send(gateway, { name: 'planted.Nothing.Here' });
  await send(gateway, { name: tool, token: 'sp_planted' });
  await send(gateway, { name: tool, sampled: '00' });
  await expect.poll(() => spans.filter(({ kind }) => kind === 'server').length, { timeout: 10_000 }).toBeGreaterThan(2);
  const servers = spans.filter((span) => span.traceId === traceId && span.kind === 'server');
  expect(servers).toHaveLength(3);
  const [called, unknown, stranger] = servers as [ReceivedSpan, ReceivedSpan, ReceivedSpan];
  expect(called).toMatchObject({
    ...{ sender: 'gate', name: `tools/call ${tool}`, parentSpanId: agentSpan, isFailed: false },
    links: [{ traceId, spanId: proxySpan }],
  });
  expect(called.attributes).toEqual({
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': tool,
    'gen_ai.operation.name': 'execute_tool',
    'jsonrpc.request.id': 'seven',
    'mcp.protocol.version': '2026-07-28',
    'network.transport': 'tcp',
    'network.protocol.name': 'http',
    'client.address': '127.0.0.1',
    'sallyport.transport': 'http',
    'sallyport.call.id': callId,
    'sallyport.outcome': 'answered',
    'sallyport.service': 'trials',
  });
  expect(called.events.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['authenticate', 'resolve', 'authorize', 'dispatch', 'filter', 'record']),
  );
  for (const { attributes } of called.events)
    expect(attributes['sallyport.stage.duration_ms']).toBeGreaterThanOrEqual(0);
  const inside = (server: ReceivedSpan) => spans.find(({ parentSpanId }) => parentSpanId === server.spanId)?.attributes;
  expect(inside(called)).toMatchObject({
    ...{ 'mcp.tool.name': tool, 'mcp.transport': 'http', 'mcp.trace.id': callId, 'mcp.auth.allowed': true },
    'mcp.rate_limited': false,
  });
  expect(unknown).toMatchObject({ name: 'tools/call', isFailed: true });
  expect(unknown.attributes).toMatchObject({ 'error.type': 'unknown_tool', 'sallyport.stage': 'resolve' });
  expect(inside(stranger)).toMatchObject({
    'mcp.auth.allowed': false,
    'mcp.auth.denied_reason': stranger.attributes['error.type'],
  });
  expect(text()).not.toContain('planted');
  expect(text()).not.toContain(gateway.token);
});

test('a collector that is away keeps no call and no end waiting, and the log says so', async () => {
  const config = writeConfig(temporaryFolder(), `services:\n${trialService('trials')}\n`);
  const env = {
    ...fast,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:planted@127.0.0.1:1',
    OTEL_EXPORTER_OTLP_TIMEOUT: '200',
    OTEL_BSP_SCHEDULE_DELAY: '500',
  };
  const gateway = await startGateway('run', config, { env });
  expect((await send(gateway, { name: 'trials.Trial.Limited' })).status).toBe(200);
  await expect.poll(() => gateway.program.stderr(), { timeout: 10_000 }).toContain('spans cannot be sent');
  expect(gateway.program.stderr()).not.toContain('planted');
  // And what waits when it ends is lost without making a failure of the end.
  await send(gateway, { name: 'trials.Trial.Limited' });
  gateway.program.kill();
  expect(await gateway.program.ended, gateway.program.stderr()).toBe(0);
});
