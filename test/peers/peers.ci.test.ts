import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway, writeConfig } from '../e2e/support/gateway.ts';
import { endAll, temporaryFolder, until } from '../e2e/support/program.ts';
import { everything, overHttp, overStdio, startHttpPeer } from './direct.ts';
import { installPeers, peerFile } from './install.ts';

const missing = await installPeers();
if (missing !== undefined) process.stdout.write(`not run: public servers behind the gateway (${missing})\n`);

let gateway: TestGateway;
let token = '';
let web: URL;
let folder = '';

/** As they would be started without a gateway. */
const commands = {
  everything: () => [process.execPath, peerFile('server-everything'), 'stdio'],
  files: () => [process.execPath, peerFile('server-filesystem'), folder],
  memory: () => [process.execPath, peerFile('server-memory')],
};

const memoryFile = (): string => join(folder, 'memory.jsonl');

function services(): string {
  const words = (name: keyof typeof commands): string => JSON.stringify(commands[name]());
  return `services:
  everything: { stdio: ${words('everything')}, isolation: caller }
  shared: { stdio: ${words('everything')} }
  files: { stdio: ${words('files')} }
  memory: { stdio: ${words('memory')}, env: { MEMORY_FILE_PATH: ${JSON.stringify(memoryFile())} } }
  web: { address: ${web.href} }
`;
}

beforeAll(async () => {
  if (missing !== undefined) return;
  folder = temporaryFolder();
  writeFileSync(join(folder, 'hello.txt'), 'Hello from a file.\n');
  web = await startHttpPeer([peerFile('server-everything'), 'streamableHttp']);
  gateway = await startGateway('serve', writeConfig(temporaryFolder(), services()));
  token = await gateway.mint('peers', ['*']);
  await until(async () => {
    const ready = (await gateway.services()).filter(({ tools }) => tools.length > 0);
    return ready.length === 5;
  }, 'all services are there');
});
afterAll(endAll);

const mount = (service: string): URL => new URL(`${gateway.mcp.href}/${service}`);

/** Everything that a server lists, as it lists it. */
async function listed(client: Client): Promise<object> {
  const capabilities = client.getServerCapabilities();
  const byName = (all: readonly { readonly name: string }[]) => all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    instructions: client.getInstructions(),
    tools: byName((await client.listTools()).tools),
    prompts: capabilities?.prompts ? byName((await client.listPrompts()).prompts) : [],
    resources: capabilities?.resources ? byName((await client.listResources()).resources) : [],
    templates: capabilities?.resources ? byName((await client.listResourceTemplates()).resourceTemplates) : [],
  };
}

const textOf = (result: unknown): string =>
  (result as { content: readonly { text?: string }[] }).content.map(({ text }) => text ?? '').join('\n');

describe.skipIf(missing !== undefined)('a public server behind the gateway', () => {
  it('is listed as it lists itself: a server of files, over stdio', async () => {
    const [direct, through] = [await overStdio(commands.files(), {}), await overHttp(mount('files'), {}, token)];
    expect(await listed(through)).toEqual(await listed(direct));
  });

  it('is listed as it lists itself: a server that remembers, over stdio', async () => {
    const env = { MEMORY_FILE_PATH: join(folder, 'other.jsonl') };
    const direct = await overStdio(commands.memory(), {}, env);
    expect(await listed(await overHttp(mount('memory'), {}, token))).toEqual(await listed(direct));
  });

  it('is listed as it lists itself: the server that has everything, over stdio and over HTTP', async () => {
    const direct = await listed(await overStdio(commands.everything(), {}));
    expect(await listed(await overHttp(mount('everything'), {}, token))).toEqual(direct);
    expect(await listed(await overHttp(mount('web'), {}, token))).toEqual(await listed(await overHttp(web, {})));
  });

  it('reads and writes files where its operator said, and nowhere else', async () => {
    const client = await overHttp(mount('files'), everything, token);
    const read = (path: string) => client.callTool({ name: 'read_text_file', arguments: { path } });
    expect(textOf(await read(join(folder, 'hello.txt')))).toBe('Hello from a file.\n');
    const path = join(folder, 'made.txt');
    await client.callTool({ name: 'write_file', arguments: { path, content: 'made' } });
    expect(textOf(await read(path))).toBe('made');
    expect(await read('/etc/hostname')).toMatchObject({ isError: true });
  });

  it('remembers, for all its callers', async () => {
    const [one, other] = [await overHttp(mount('memory'), {}, token), await overHttp(mount('memory'), {}, token)];
    const entities = [{ name: 'Ada', entityType: 'person', observations: ['wrote the first program'] }];
    await one.callTool({ name: 'create_entities', arguments: { entities } });
    const found = await other.callTool({ name: 'search_nodes', arguments: { query: 'program' } });
    expect(found.structuredContent).toEqual({ entities, relations: [] });
  });

  it.each(['everything', 'web'])('answers calls, prompts, resources and completions: %s', async (service) => {
    const client = await overHttp(mount(service), {}, token);
    expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).toBe('Echo: hi');
    const weather = await client.callTool({ name: 'get-structured-content', arguments: { location: 'Chicago' } });
    expect(weather.structuredContent).toMatchObject({ temperature: expect.any(Number) });
    const links = await client.callTool({ name: 'get-resource-links', arguments: { count: 2 } });
    const link = (links.content as { type: string; uri?: string }[]).find(({ type }) => type === 'resource_link');
    const { contents } = await client.readResource({ uri: link?.uri ?? '' });
    expect(contents[0]).toMatchObject({ uri: link?.uri });
    const prompt = await client.getPrompt({ name: 'args-prompt', arguments: { city: 'Oslo' } });
    expect(JSON.stringify(prompt.messages)).toContain('Oslo');
    const argument = { name: 'department', value: 'E' };
    const completed = await client.complete({ ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument });
    expect(completed.completion.values).toContain('Engineering');
    expect(await client.callTool({ name: 'echo', arguments: { message: 7 } })).toMatchObject({ isError: true });
  });

  it('asks its caller, and the model of its caller', async () => {
    const client = await overHttp(mount('shared'), everything, token);
    const elicited = await client.callTool({ name: 'trigger-elicitation-request', arguments: {} });
    expect(textOf(elicited)).toContain('Ada');
    const sampled = await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'Say hello' } });
    expect(textOf(sampled)).toContain('The model says hello');
    const unasked = await overHttp(mount('shared'), {}, token);
    const refused = await unasked.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'Say hello' } });
    expect(refused.isError).toBe(true);
  });

  it.each(['everything', 'web'])('tells how far it is: %s', async (service) => {
    const client = await overHttp(mount(service), everything, token);
    const seen: number[] = [];
    const long = { name: 'trigger-long-running-operation', arguments: { duration: 0.4, steps: 4 } };
    await client.callTool(long, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('gets nothing of the environment of the gateway', async () => {
    const client = await overHttp(mount('everything'), {}, token);
    const env = JSON.parse(textOf(await client.callTool({ name: 'get-env' }))) as object;
    const known = new Set(['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', '__CF_USER_TEXT_ENCODING']);
    expect(Object.keys(env).filter((name) => !known.has(name))).toEqual([]);
  });

  it('is one of many at the one address of all', async () => {
    const client = await overHttp(gateway.mcp, {}, token);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    for (const name of ['files.read_text_file', 'memory.read_graph', 'everything.echo', 'web.echo']) {
      expect(names).toContain(name);
    }
    const echoed = await client.callTool({ name: 'everything.echo', arguments: { message: 'hi' } });
    expect(textOf(echoed)).toBe('Echo: hi');
    expect((await gateway.verify()).ok).toBe(true);
  });
});
