import { Client as SecondClient, StreamableHTTPClientTransport as SecondTransport } from '@modelcontextprotocol/client';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStatedWorld, type StatedWorld } from './stated-world.ts';

let world: StatedWorld;
let token: string;

beforeAll(async () => {
  world = await openStatedWorld();
  token = await world.token(['*']);
});
afterAll(() => world.close());

const sure = { action: 'accept' as const, content: { sure: true } };

/** A client of the old era, which has sessions, and is asked in the course of a call. */
async function first() {
  const client = new FirstClient({ name: 'first', version: '1.0.0' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => sure);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  // The SDK's own types disagree about optional members.
  await client.connect(new FirstTransport(new URL('/mcp/bank', world.origin), { requestInit }) as never);
  return client;
}

/** A client of the new era, which is asked by an answer, and comes back. */
async function second() {
  const capabilities = { elicitation: { form: {} } };
  const client = new SecondClient(
    { name: 'second', version: '1.0.0' },
    { capabilities, versionNegotiation: { mode: 'auto' } },
  );
  client.setRequestHandler('elicitation/create', () => sure);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new SecondTransport(new URL('/mcp/bank', world.origin), { requestInit }));
  return client;
}

describe.each([
  ['old', first],
  ['new', second],
] as const)('a service that asks, over HTTP with statements, for a client of the %s era', (_era, connect) => {
  it('knows who calls, before and after the answer', async () => {
    const client = await connect();
    for (const name of ['Account.Show', 'Account.Ask']) {
      const { isError } = await client.callTool({ name, arguments: {} });
      expect(isError ?? false).toBe(false);
      const told = world.ran.at(-1);
      expect(told).toMatchObject({
        tool: name,
        principal: { subject: 'run' },
        statement: { by: 'assertion', target: name },
      });
    }
    await client.getPrompt({ name: 'greet', arguments: { who: 'ada' } });
    expect(world.ran.at(-1)).toMatchObject({ tool: 'greet', statement: { method: 'prompts/get', target: 'greet' } });
    for (const uri of ['bank://rules', 'bank://of/ada']) {
      await client.readResource({ uri });
      expect(world.ran.at(-1)).toMatchObject({ tool: uri, statement: { method: 'resources/read', target: uri } });
    }
    const ref = { type: 'ref/prompt' as const, name: 'greet' };
    const { completion } = await client.complete({ ref, argument: { name: 'who', value: 'a' } });
    expect(completion.values).toEqual(['ada']);
    await client.close();
    const statements = world.taps('bank').map(({ headers }) => headers['sallyport-assertion']);
    expect(new Set(statements).size).toBe(statements.length);
  });
});
