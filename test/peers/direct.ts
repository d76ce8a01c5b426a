import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  type ClientCapabilities,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { atEnd, until } from '../e2e/support/program.ts';

/** What a client that can be asked anything says of itself. */
export const everything: ClientCapabilities = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {}, context: {} },
  roots: {},
};

/** A client that answers whatever it is asked, as far as it says that it can be. */
function client(capabilities: ClientCapabilities): Client {
  const made = new Client({ name: 'peers', version: '1.0.0' }, { capabilities });
  if (capabilities.elicitation) {
    made.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada', check: true } }));
  }
  if (capabilities.sampling) {
    const content = { type: 'text' as const, text: 'The model says hello' };
    made.setRequestHandler(CreateMessageRequestSchema, () => ({ model: 'none', role: 'assistant', content }));
  }
  if (capabilities.roots) {
    made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///roots/of/ada', name: 'Ada' }] }));
  }
  atEnd(() => made.close());
  return made;
}

/** A client of a program, with nothing in between. */
export async function overStdio(
  command: readonly string[],
  capabilities: ClientCapabilities,
  env: Readonly<Record<string, string>> = {},
): Promise<Client> {
  const made = client(capabilities);
  const [program = '', ...args] = command;
  await made.connect(new StdioClientTransport({ command: program, args, env, stderr: 'ignore' }) as never);
  return made;
}

/** A client of an address; of the gateway with a token. */
export async function overHttp(url: URL, capabilities: ClientCapabilities, token?: string): Promise<Client> {
  const made = client(capabilities);
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  await made.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }) as never);
  return made;
}

/** Starts a server that listens where `PORT` says, and resolves with its address when it does. */
export async function startHttpPeer(words: readonly string[]): Promise<URL> {
  const port = await freePort();
  const child = spawn(process.execPath, words, {
    env: { PATH: process.env.PATH, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'close');
  atEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await until(() => said.includes('listening'), 'the server listens');
  return new URL(`http://127.0.0.1:${port}/mcp`);
}

/** It cannot be told to take any port and say which. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
