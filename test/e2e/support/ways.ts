import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { JsonObject } from '@sallyport/protocol';
import { noAnswer, type Seen, ws as wsDriver } from '@sallyport/testkit';
import { z } from 'zod';
import { readMcpAnswer } from '../../../packages/testkit/src/drivers/read-answer.ts';
import { sallyport } from './gateway.ts';

/** A real client of some kind, connected to a gateway. */
export interface Way {
  list(): Promise<readonly string[]>;
  call(tool: string, args?: JsonObject): Promise<Seen>;
  /** A `tools/call` whose parameters are wrong. */
  malformed(): Promise<Seen>;
  close(): Promise<unknown>;
}

/** Who connects where. */
export interface Target {
  readonly mcp: URL;
  readonly token: string;
}

/** Every kind of client that has to get the same answers. */
export const ways: Readonly<Record<string, (target: Target) => Promise<Way>>> = {
  'the first SDK': async ({ mcp, token }) => {
    const client = new LegacyClient({ name: 'e2e', version: '1.0.0' });
    await client.connect(new LegacyTransport(mcp, { requestInit: bearer(token) }) as never);
    return ofSdk(client);
  },
  'the second SDK, negotiating': (target) => modern(target, 'auto'),
  'the second SDK, pinned to 2026-07-28': (target) => modern(target, { pin: '2026-07-28' }),
  'a desktop host over stdio': async ({ mcp, token }) => {
    const env = { PATH: process.env.PATH ?? '', HOME: tmpdir(), SALLYPORT_URL: mcp.href, SALLYPORT_TOKEN: token };
    const args = ['--conditions=sallyport-source', ...sallyport, 'mcp'];
    const client = new ModernClient({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }));
    return ofSdk(client);
  },
  curl: async (target) => ofCurl(target),
  'a WebSocket': async ({ mcp, token }) => {
    const driver = wsDriver({ url: mcp, token });
    return {
      list: async () => (await driver.list()).result as readonly string[],
      call: (tool, args = {}) => driver.call(tool, args),
      malformed: () =>
        driver.raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7,"_meta":${modernMeta}}}`),
      close: driver.close,
    };
  },
};

const modernMeta = JSON.stringify({
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
});

async function modern({ mcp, token }: Target, mode: 'auto' | { readonly pin: string }): Promise<Way> {
  const client = new ModernClient({ name: 'e2e', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(new ModernTransport(mcp, { requestInit: bearer(token) }));
  return ofSdk(client);
}

function bearer(token: string): RequestInit {
  return { headers: { Authorization: `Bearer ${token}` } };
}

function ofSdk(client: LegacyClient | ModernClient): Way {
  const see = (promise: Promise<unknown>): Promise<Seen> =>
    promise.then(
      (result) => readMcpAnswer(JSON.stringify({ jsonrpc: '2.0', id: 1, result })),
      (error: unknown) => ofError(error),
    );
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    // The clients' methods are alike and their types are not.
    call: (name, args = {}) => see((client as ModernClient).callTool({ name, arguments: args })),
    malformed: () =>
      see((client as LegacyClient).request({ method: 'tools/call', params: { name: 7 } } as never, z.any() as never)),
    close: () => client.close(),
  };
}

/** Client libraries wrap what the gateway says in words of their own; what it says itself is inside. */
function ofError(error: any): Seen {
  const isScopes = error?.name === 'InsufficientScopeError' || error?.constructor?.name === 'InsufficientScopeError';
  if (isScopes) {
    const scopes = String(error.requiredScope ?? '').split(' ');
    return { kind: 'refused', code: 'permission_denied', reason: 'insufficient_scope', scopes, bytes: '' };
  }
  const { data } = error ?? {};
  if (typeof data?.reason === 'string') return { kind: 'refused', code: data.code, reason: data.reason, bytes: '' };
  for (const text of [data?.text, String(error?.message)]) {
    const json = typeof text === 'string' ? text.slice(Math.max(0, text.indexOf('{'))) : '';
    const seen = readMcpAnswer(json);
    if (seen.kind !== 'protocol_error') return seen;
  }
  return noAnswer(`${error?.name}: ${error?.message}`);
}

function ofCurl({ mcp, token }: Target): Way {
  const rest = new URL('/mcp/', mcp).href;
  const curl = (url: string, body?: string): Promise<any> =>
    new Promise((resolve, reject) => {
      // The token and the body go in over stdin: a command line is no place for them.
      const config = [`header = "Authorization: Bearer ${token}"`, 'header = "Content-Type: application/json"'];
      if (body !== undefined) config.push(`data-raw = ${JSON.stringify(body)}`);
      const done = (error: Error | null, stdout: string): void => (error ? reject(error) : resolve(JSON.parse(stdout)));
      const child = execFile('curl', ['-sS', '--max-time', '20', '-K', '-', url], { env: {} }, done);
      child.stdin?.end(config.join('\n'));
    });
  const post = async (message: object): Promise<Seen> =>
    readMcpAnswer(JSON.stringify(await curl(mcp.href, JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }))));
  return {
    list: async () => ((await curl(`${rest}tools`)).tools as { name: string }[]).map(({ name }) => name),
    call: (name, args = {}) => post({ method: 'tools/call', params: { name, arguments: args } }),
    malformed: () => post({ method: 'tools/call', params: { name: 7 } }),
    close: async () => undefined,
  };
}
