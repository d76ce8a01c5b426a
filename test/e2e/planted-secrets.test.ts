import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { cli } from '../../packages/cli/src/cli.fixture.ts';
import {
  type FakeHttpServer,
  startFakeHttpServer,
} from '../../packages/gateway/src/upstream/mcp/testing/fake-http-server.ts';
import { sallyport, startGateway, type TestGateway, writeConfig } from './support/gateway.ts';
import { createPlants } from './support/plants.ts';
import { atEnd, endAll, startNode, temporaryFolder, until } from './support/program.ts';
import { type Collector, startCollector } from './support/spans.ts';

const { plant, foundIn, count } = createPlants();
const asGithubToken = (secret: string) => `ghp_${secret}`;

let server: FakeHttpServer;
let gateway: TestGateway;
let collector: Collector;
let folder: string;
/** Everything that callers were answered. */
const answers: string[] = [];
/** What the child of the gateway sees around it. */
let childEnvironment = '';

const secretFile = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return name;
};

/** A server that lets slip whatever it can, in every way there is. */
const leaky = plant('what a server answers', asGithubToken);
const onTheWay = plant('what a server says before it answers', asGithubToken);
const inErrors = plant('what a server says of an error', asGithubToken);
const inHeaders = plant('a header of a server');

beforeAll(async () => {
  folder = temporaryFolder();
  server = await startFakeHttpServer({
    eras: ['modern'],
    lists: { tools: ['Leak', 'Fail', 'Broken'].map((name) => ({ name, inputSchema: { type: 'object' } })) },
    on: ({ method, params }, answer) => {
      if (method !== 'tools/call') return undefined;
      answer.response.setHeader('Set-Cookie', `session=${inHeaders}`);
      if (params.name === 'Fail')
        answer.error(200, { code: -32000, message: `no: ${inErrors}`, data: { key: inErrors } });
      else if (params.name === 'Broken') answer.response.writeHead(500).end(`stack of ${inErrors}`);
      else {
        answer.event({
          message: { method: 'notifications/message', params: { level: 'info', data: `using ${onTheWay}` } },
        });
        answer.final({ content: [{ type: 'text', text: `{"key":"${leaky}","password":"${leaky}"}` }] });
      }
      return true;
    },
  });
  atEnd(server.kill);
  const stdio = join(folder, 'stdio.mjs');
  writeFileSync(stdio, stdioServer);
  const bearer = secretFile('bearer', plant('a token for a server, in a file'));
  const environment = secretFile('environment', plant('a secret of a stdio server, in a file'));
  const announce = secretFile(
    'announce.json',
    JSON.stringify({
      id: 'one',
      service: 'other',
      key: Buffer.from(plant('a key of a service')).toString('base64url'),
    }),
  );
  const config = writeConfig(
    folder,
    `services:
  leaks: { address: ${server.url}, credential: { kind: bearer, token: { file: ${bearer} } } }
  shown: { address: ${server.url}, credential: { kind: header, name: X-Key, value: { env: FOR_A_SERVER } } }
  child: { stdio: [node, ${stdio}], env: { NEEDED: { file: ${environment} } } }
announce: { credentials: [{ file: ${announce} }] }
`,
  );
  const env = {
    FOR_A_SERVER: plant('a secret for a server, in the environment'),
    UNRELATED: plant('something in the environment'),
  };
  collector = await startCollector();
  atEnd(collector.close);
  const traced = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`, OTEL_BSP_SCHEDULE_DELAY: '50' };
  gateway = await startGateway('serve', config, { env: { ...env, ...traced, DEBUG: 'sallyport' } });
  await until(
    async () => (await gateway.services()).filter(({ instances }) => instances > 0).length === 3,
    'all are there',
  );
  await handOver();
}, 60_000);
afterAll(endAll);

const stdioServer = `
import { createInterface } from 'node:readline';
const tools = [{ name: 'Environment', inputSchema: { type: 'object' } }];
const serverInfo = { name: 'child', version: '1' };
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const result = {
    initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo },
    'tools/list': { tools },
    'tools/call': { content: [{ type: 'text', text: JSON.stringify(process.env) }] },
  }[method];
  const answer = result ? { result } : { error: { code: -32601, message: 'no' } };
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, ...answer }) + '\\n');
}`;

interface Request {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly method?: string;
}

async function send({ path = '/mcp/call', headers = {}, body = '{}', method = 'POST' }: Request): Promise<string> {
  const response = await fetch(new URL(path, gateway.mcp), {
    method,
    headers: { 'Content-Type': 'application/json', ...headers },
    ...(method === 'POST' && { body }),
  });
  const text = `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
  answers.push(text);
  return text;
}

/** Hands the gateway a secret in every place where one can enter. */
async function handOver(): Promise<void> {
  const token = await gateway.mint('agent', ['*']);
  plantedToken(token);
  const bearer = { Authorization: `Bearer ${token}` };
  const call = (tool: string, input: object, headers = {}) =>
    send({ headers: { ...bearer, ...headers }, body: JSON.stringify({ tool, input }) });

  // What callers show.
  await send({ headers: { Authorization: `Bearer sp_${plant('a token that is none')}` } });
  await send({
    headers: {
      Authorization: `Bearer eyJhbGciOiJub25lIn0.${plant('a JWT', (text) => Buffer.from(`{"sub":"${text}"}`).toString('base64url'))}.`,
    },
  });
  await send({ headers: { Authorization: `Basic ${Buffer.from(`me:${plant('a password')}`).toString('base64')}` } });
  await send({ headers: { Authorization: `DPoP ${token}`, DPoP: plant('a proof of possession') } });
  await send({ path: `/mcp?access_token=${plant('a token in a query')}` });
  await send({ path: `/mcp/${plant('a part of a path')}`, method: 'GET' });
  await send({
    path: '/mcp/ws',
    headers: { 'Sec-WebSocket-Protocol': plant('a protocol of a socket') },
    method: 'GET',
  });
  await send({
    headers: { ...bearer, tracestate: `me=${plant('a state of a trace')}`, baggage: `user=${plant('baggage')}` },
    body: JSON.stringify({ tool: 'leaks.Leak', input: {} }),
  });
  await call('leaks.Leak', {}, { Cookie: `session=${plant('a cookie')}`, 'X-Api-Key': plant('a header') });
  await call('leaks.Leak', { password: plant('an argument named password'), note: plant('an argument') });
  await send({ headers: bearer, body: `{"tool":"leaks.Leak","input":{"x":"${plant('a body that is no JSON')}"` });
  const meta = { 'io.example/secret': plant('something in _meta') };
  const params = { name: 'leaks.Leak', arguments: {}, _meta: { progressToken: 1, ...meta } };
  await send({
    path: '/mcp',
    headers: { ...bearer, Accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  });
  await send({
    path: '/mcp',
    headers: {
      ...bearer,
      'Mcp-Session-Id': plant('the id of a session'),
      'Last-Event-ID': plant('the id of an event'),
    },
    method: 'GET',
  });
  await overWebSocket(plant('a token in a message'));

  // What servers say.
  for (const tool of ['leaks.Fail', 'leaks.Broken', 'shown.Leak']) await call(tool, {});
  childEnvironment = await call('child.Environment', {});
  answers.pop();

  // What is exchanged.
  const details = [
    {
      type: 'intent',
      message: `Use ${plant('a message of a user')}.`,
      seal_message: true,
      tools: ['leaks.Leak'],
      calls: 1,
    },
  ];
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    authorization_details: JSON.stringify(details),
  });
  const exchange = (body: URLSearchParams) =>
    fetch(new URL('/oauth/token', gateway.mcp), { method: 'POST', body }).then((response) => response.json());
  const issued = (await exchange(form)) as { access_token: string };
  plantedToken(issued.access_token);
  await call('leaks.Leak', {}, { Authorization: `Bearer ${issued.access_token}` });
  form.set('subject_token', plant('a token to exchange'));
  answers.push(JSON.stringify(await exchange(form)));
  form.set('client_secret', plant('a secret of a client'));
  answers.push(JSON.stringify(await exchange(form)));
}

const tokens: string[] = [];

/** Tokens that the gateway made: the part that is secret. */
function plantedToken(token: string): void {
  tokens.push(token.split('_')[2] ?? token);
}

function overWebSocket(secret: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(new URL('/mcp/ws', gateway.mcp.href.replace('http', 'ws')));
    socket.on('open', () =>
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _token: secret } })),
    );
    socket.on('message', (data) => {
      answers.push(String(data));
      socket.close();
    });
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
  });
}

const alsoTokens = (where: string | Buffer): string[] => {
  const text = where.toString('latin1' as never);
  return [
    ...foundIn(where),
    ...(tokens.some((token) => text.includes(token)) ? ['a token that the gateway made'] : []),
  ];
};

describe('of all secrets that were handed to a gateway', () => {
  test('there are at least thirty, and each can be found where it is', () => {
    expect(count()).toBeGreaterThanOrEqual(30);
    expect(server.received.some(({ headers }) => foundIn(String(headers.authorization)).length === 1)).toBe(true);
    expect(foundIn(Buffer.from(`xx${leaky}`).toString('base64'))).toEqual(['what a server answers']);
  });

  test('none is in what it logs', () => {
    expect(gateway.program.stderr().length).toBeGreaterThan(100);
    expect(alsoTokens(gateway.program.stderr() + gateway.program.stdout())).toEqual([]);
  });

  test('none is in what callers are answered', () => {
    expect(answers.length).toBeGreaterThan(15);
    expect(alsoTokens(answers.join('\n'))).toEqual([]);
  });

  test('none is in any of its files', () => {
    const given = new Set(['bearer', 'environment', 'announce.json', 'stdio.mjs', 'sallyport.yaml']);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !given.has(entry.name))
      .map((entry) => join(entry.parentPath, entry.name));
    expect(files.map((file) => file.slice(folder.length + 1))).toEqual(
      expect.arrayContaining(['data/audit.db', 'data/state.db']),
    );
    for (const file of files) expect(alsoTokens(readFileSync(file)), file).toEqual([]);
    for (const file of files) expect(statSync(file).mode & 0o077, file).toBe(0);
  });

  test('none is in its metrics, and none in any export of its audit log', async () => {
    const scraper = await gateway.mint('prometheus', ['admin:read']);
    const metrics = await fetch(new URL('/metrics', gateway.admin), {
      headers: { Authorization: `Bearer ${scraper}` },
    });
    const text = await metrics.text();
    expect(text).toContain('mcp_server_operation_duration_seconds_count');
    expect(alsoTokens(text)).toEqual([]);
    for (const format of ['ndjson', 'ocsf', 'otlp', 'cef', 'syslog', 'audit-record-contract']) {
      const words = ['audit', 'export', '--format', format, '--config', join(folder, 'sallyport.yaml')];
      const { out } = await cli(words, { cwd: folder });
      expect(out.split('\n').length, format).toBeGreaterThan(20);
      expect(alsoTokens(out), format).toEqual([]);
    }
  });

  test('none is in its spans', async () => {
    const servers = () => collector.spans.filter(({ kind }) => kind === 'server').length;
    await until(async () => servers() > 15, 'all are sent');
    expect(alsoTokens(collector.text())).toEqual([]);
  });

  test('its child has the one that was meant for it, and nothing else', () => {
    expect(foundIn(childEnvironment)).toEqual(['a secret of a stdio server, in a file']);
  });

  test('none gets to a server but what it is to be shown', () => {
    const seen = server.received.map(({ headers, body }) => JSON.stringify(headers) + body).join('\n');
    expect(foundIn(seen).toSorted()).toEqual([
      'a secret for a server, in the environment',
      'a token for a server, in a file',
      'an argument',
      'an argument named password',
      'something in _meta',
    ]);
    expect(tokens.some((token) => seen.includes(token))).toBe(false);
  });

  test('none is repeated by the complaint about a file that has it in it', async () => {
    const lines = [
      `  one: { address: http://127.0.0.1:1/mcp, credential: { kind: bearer, token: ${plant('a token in a file')} } }`,
      `  one: { address: "http://me:${plant('a password in an address')}@127.0.0.1:1/mcp" }`,
      `  one: { address: http://127.0.0.1:1/mcp, credential: { kind: bearer, token: { value: ${plant('a token in the wrong place')} } } }`,
      `  one: { stdio: [node, x.mjs], env: { KEY: { secret: ${plant('a secret in the wrong place')} } } }`,
    ];
    for (const line of lines) {
      const config = writeConfig(temporaryFolder(), `services:\n${line}\n`);
      const refused = startNode([...sallyport, 'serve', '--config', config]);
      expect(await refused.ended, line).not.toBe(0);
      expect(foundIn(refused.stderr() + refused.stdout()), line).toEqual([]);
    }
  });
});
