import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CliProcess,
  cli,
  type ReadyEvent,
  serviceSource,
  startCli,
  temporaryFolder,
  writeProject,
} from './cli.fixture.ts';

let folder: string;
let running: CliProcess;
let ready: ReadyEvent;
const ping = 'alpha.Thing.Ping';

beforeAll(async () => {
  folder = temporaryFolder();
  writeProject(folder, { alpha: serviceSource('alpha') });
  running = startCli(['run', '--port', '0', '--admin-port', '0', '--json'], { cwd: folder });
  ready = await running.ready();
}, 60_000);
afterAll(async () => {
  running.child.kill('SIGTERM');
  await running.ended();
  rmSync(folder, { recursive: true, force: true });
});

const asAgent = (args: readonly string[], { token = ready.token, ...more }: Record<string, string> = {}) =>
  cli(args, {
    cwd: folder,
    env: { SALLYPORT_URL: ready.mcp, SALLYPORT_TOKEN: token, ...more },
    stdin: 'From stdin.\n',
  });
const asOwner = (...args: readonly string[]) => cli(args, { cwd: folder });
const create = (...args: readonly string[]) => asAgent(['intent', 'create', '--tool', ping, ...args]);

describe('intent create', () => {
  test('prints the token alone on stdout, and what to do next beside it', async () => {
    const { code, out, err } = await create('--message', 'Ping once.', '--expires', '5m');
    expect(code).toBe(0);
    expect(out).toMatch(/^spi_\w+\n$/);
    expect(err).toContain(`sallyport trace ${out.slice(4, 20)}`);
    expect((await asAgent(['tools', 'call', ping], { token: out.trim() })).code).toBe(0);
    const refused = await asAgent(['tools', 'call', ping], { token: out.trim() });
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining(out.slice(4, 20)) });
  });

  test('names the agent, and says what the gateway says when it gives none', async () => {
    const actor = JSON.parse((await asOwner('token', 'create', '--name', 'scribe', '--json')).out).token;
    const args = ['intent', 'create', '--tool', ping, '--message', '-', '--keep-message', '--json'];
    const { out } = await asAgent(args, { SALLYPORT_ACTOR_TOKEN: actor });
    const [{ identifier }] = JSON.parse(out).authorization_details;
    const { out: timeline } = await asOwner('trace', identifier);
    expect(timeline).toContain('From stdin.');
    expect(timeline).toContain('run via scribe');
    const refused = await create('--message', 'x', '--scope', 'alpha:admin');
    expect(refused).toMatchObject({ code: 3, out: '', err: expect.stringContaining('alpha:admin') });
    expect(await create('--message', 'x', '--bound', 'nonsense')).toMatchObject({ code: 2 });
  });

  test('holds arguments to what is said', async () => {
    const { out } = await create('--message', 'x', '--bound', '/a/b<=5', '/c=text', '/d=7', '--json');
    expect(JSON.parse(out).authorization_details[0].bounds).toEqual([
      { pointer: '/a/b', maximum: 5 },
      { pointer: '/c', const: 'text' },
      { pointer: '/d', const: 7 },
    ]);
  });
});

describe('trace, intent list and intent revoke', () => {
  test('tell what was done, and end it', async () => {
    const { out } = await create('--message', 'Ping.', '--keep-message', '--calls', '2');
    const [token, id] = [out.trim(), out.slice(4, 20)];
    await asAgent(['tools', 'call', ping], { token });
    const { timeline } = JSON.parse((await asOwner('trace', id, '--json')).out);
    expect(timeline.map(({ what }: { what: string }) => what)).toEqual(['message', 'given', 'call']);
    expect(timeline[0]).toMatchObject({ text: 'Ping.' });
    expect((await asOwner('trace', `intent:${id}`, '--no-message')).out).not.toContain('Ping.\n');
    expect((await asOwner('intent', 'list')).out).toMatch(new RegExp(`^${id} +active +run +1 of 2 `, 'm'));
    expect((await asOwner('audit', 'search', '--intent', id)).out).toContain(ping);
    expect((await asOwner('intent', 'revoke', id)).out).toContain('is revoked');
    expect((await asOwner('intent', 'revoke', id)).out).toContain('was revoked already');
    expect((await asAgent(['tools', 'call', ping], { token })).code).toBe(3);
  });

  test('take an id, and never a token', async () => {
    const { out } = await create('--message', 'x');
    expect(await asOwner('trace', out.trim())).toMatchObject({ code: 2, err: expect.stringContaining('id is enough') });
    expect(await asOwner('trace', 'nonsense')).toMatchObject({ code: 2 });
    expect(await asOwner('trace', '0'.repeat(16))).toMatchObject({ code: 1, err: expect.stringContaining('no such') });
  });
});
