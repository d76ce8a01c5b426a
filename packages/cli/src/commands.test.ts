import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { auditKeys, gatewayKeys, openSealed, searchAudit } from '@sallyport/gateway';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CliProcess,
  type CliResult,
  cli,
  type ReadyEvent,
  serviceSource,
  startCli,
  temporaryFolder,
  writeProject,
} from './cli.fixture.ts';

/* One gateway for all: the commands change nothing that another test looks at. */
let folder: string;
let running: CliProcess;
let ready: ReadyEvent;

const more = `
s.tool('Thing.Echo', { description: 'Says it again. Twice.', scopes: ['alpha:read'], sideEffect: 'read', owner: 'team-echo',
  input: z.object({ text: z.string().min(1) }), output: z.object({ text: z.string() }),
  examples: [{ input: { text: "it's" } }] }, ({ text }) => ({ text }));
s.tool('Thing.Break', { description: 'Breaks.', scopes: ['alpha:admin'], sideEffect: 'destructive', input: z.object({}) }, () => ({}));
`;

beforeAll(async () => {
  folder = temporaryFolder();
  writeProject(folder, { alpha: serviceSource('alpha', more) });
  running = startCli(['run', '--port', '0', '--admin-port', '0', '--json'], { cwd: folder });
  ready = await running.ready();
});
afterAll(async () => {
  running.child.kill('SIGTERM');
  await running.ended();
  rmSync(folder, { recursive: true, force: true });
});

const asAgent = (args: readonly string[], options: { stdin?: string; token?: string } = {}): Promise<CliResult> =>
  cli(args, {
    cwd: folder,
    env: { SALLYPORT_URL: ready.mcp, SALLYPORT_TOKEN: options.token ?? ready.token },
    ...(options.stdin !== undefined && { stdin: options.stdin }),
  });
const asOwner = (...args: readonly string[]) => cli(args, { cwd: folder });
const mint = async (...scopes: readonly string[]) =>
  JSON.parse(
    (
      await asOwner(
        'token',
        'create',
        '--name',
        `t-${scopes.join('').replaceAll(':', '-')}`,
        '--scope',
        scopes.join(','),
        '--json',
      )
    ).out,
  );

describe('tools', () => {
  test('list shows a table without colours when nobody asked for any', async () => {
    const { code, out } = await asAgent(['tools', 'list']);
    expect(code).toBe(0);
    expect(out).toMatch(/^alpha\.Thing\.Echo +read +alpha:read +Says it again\.$/m);
  });

  test('describe ends with a call that a shell takes as it is', async () => {
    const { out } = await asAgent(['tools', 'describe', 'alpha.Thing.Echo']);
    expect(out).toContain('team-echo');
    expect(out).toContain(`sallyport tools call alpha.Thing.Echo '{"text":"it'\\''s"}'`);
  });

  test('call takes its arguments from the line, from a file and from stdin', async () => {
    writeFileSync(join(folder, 'input.json'), '{"text":"file"}');
    expect((await asAgent(['tools', 'call', 'alpha.Thing.Echo', '{"text":"line"}'])).out).toContain('"line"');
    expect((await asAgent(['tools', 'call', 'alpha.Thing.Echo', '--input', 'input.json'])).out).toContain('"file"');
    expect(
      (await asAgent(['tools', 'call', 'alpha.Thing.Echo', '--input', '-'], { stdin: '{"text":"stdin"}' })).out,
    ).toContain('"stdin"');
  });

  test('what the gateway says about bad input is passed on', async () => {
    const { code, err } = await asAgent(['tools', 'call', 'alpha.Thing.Echo', '{"text":""}']);
    expect(code).toBe(1);
    expect(err).toContain('/text');
  });

  test('a refusal ends with 3 and names the scope', async () => {
    const { token } = await mint('alpha:read');
    const text = await asAgent(['tools', 'call', 'alpha.Thing.Break'], { token });
    expect(text).toMatchObject({ code: 3, out: '' });
    expect(text.err).toContain('alpha:admin');
    const json = await asAgent(['tools', 'call', 'alpha.Thing.Break', '--json'], { token });
    expect(JSON.parse(json.err).error).toMatchObject({
      kind: 'refused',
      reason: 'insufficient_scope',
      scopes: ['alpha:admin'],
    });
  });

  test('export speaks to other programs', async () => {
    const openai = JSON.parse((await asAgent(['tools', 'export', '--format', 'openai'])).out);
    expect(openai).toContainEqual(expect.objectContaining({ type: 'function' }));
    for (const { function: each } of openai) expect(each.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect((await asAgent(['tools', 'export', '--format', 'markdown'])).out).toContain('## alpha.Thing.Echo');
  });

  test('without URL or token it says which variable is missing', async () => {
    expect(await cli(['tools', 'list'])).toMatchObject({ code: 2, err: expect.stringContaining('SALLYPORT_URL') });
    const noToken = await cli(['tools', 'list', '--url', ready.mcp]);
    expect(noToken).toMatchObject({ code: 2, err: expect.stringContaining('SALLYPORT_TOKEN') });
  });

  test('a token is not sent in the clear to another machine', async () => {
    const result = await cli(['tools', 'list'], {
      env: { SALLYPORT_URL: 'http://gateway.example/mcp', SALLYPORT_TOKEN: 'sp_x' },
    });
    expect(result).toMatchObject({ code: 2, err: expect.stringContaining('unencrypted') });
  });

  test('a bad token is refused, and not repeated', async () => {
    const { code, err } = await asAgent(['tools', 'list'], { token: 'sp_0123456789abcdef_secretsecret' });
    expect(code).toBe(3);
    expect(err).not.toContain('secretsecret');
  });

  test('where no gateway is, it ends with 4', async () => {
    const env = { SALLYPORT_URL: 'http://127.0.0.1:1/mcp', SALLYPORT_TOKEN: 'sp_x' };
    expect(await cli(['tools', 'list'], { env })).toMatchObject({
      code: 4,
      err: expect.stringContaining('No gateway answers'),
    });
  });
});

describe('user', () => {
  const withPassword = (words: readonly string[], stdin = 'correct horse battery\n') =>
    cli(words, { cwd: folder, stdin });

  test('is added with a password from stdin, listed, shut out and deleted', async () => {
    const added = await withPassword(['user', 'add', 'ada', '--scope', 'alpha:*,alpha:read', '--json']);
    expect(JSON.parse(added.out)).toMatchObject({ name: 'ada', state: 'active', scopes: ['alpha:*', 'alpha:read'] });
    expect(added.out + added.err).not.toContain('horse');
    expect((await asOwner('user', 'list')).out).toMatch(/^ada +active +no +alpha:\* alpha:read$/m);
    expect(await withPassword(['user', 'add', 'ada'])).toMatchObject({ code: 1 });
    expect(await asOwner('user', 'disable', 'ada')).toMatchObject({ code: 0 });
    expect((await asOwner('user', 'list')).out).toMatch(/^ada +disabled/m);
    expect(await asOwner('user', 'enable', 'ada')).toMatchObject({ code: 0 });
    expect(await withPassword(['user', 'reset-password', 'ada'], 'another one entirely\n')).toMatchObject({ code: 0 });
    expect(await asOwner('user', 'delete', 'ada')).toMatchObject({ code: 0 });
    expect(await asOwner('user', 'delete', 'ada')).toMatchObject({ code: 1 });
  });

  test('gets a second factor that is shown once', async () => {
    await withPassword(['user', 'add', 'bob']);
    const { out, err } = await asOwner('user', 'totp', 'bob');
    expect(out).toMatch(/^otpauth:\/\/totp\/Sallyport:bob\?\S*secret=[A-Z2-7]{32}\S*\n$/);
    expect(err).toContain('not shown again');
    expect(JSON.parse((await asOwner('user', 'list', '--json')).out).users).toMatchObject([{ secondFactor: true }]);
    expect((await asOwner('user', 'totp', 'bob', '--remove')).out).toContain('password alone');
  });

  test('has no short password, and no scope of administration', async () => {
    expect(await withPassword(['user', 'add', 'eve'], 'short\n')).toMatchObject({
      code: 1,
      err: expect.stringContaining('12 to 256'),
    });
    expect((await withPassword(['user', 'add', 'eve', '--scope', 'admin:*'])).err).toContain('administration');
  });
});

describe('token', () => {
  test('create prints the token alone on stdout, and list never shows it', async () => {
    const { out, err } = await asOwner('token', 'create', '--name', 'ci', '--scope', 'alpha:read', '--expires', '2h');
    expect(out).toMatch(/^sp_\S+\n$/);
    expect(err).toContain('expires in 1h 59m');
    const list = await asOwner('token', 'list');
    expect(list.out).toMatch(/ci +agent +active +1h 59m/);
    expect(list.out).not.toContain(out.trim());
  });

  test('a revoked token is refused from the next call on', async () => {
    const { token, id } = await mint('alpha:read');
    expect((await asAgent(['tools', 'list'], { token })).code).toBe(0);
    expect(await asOwner('token', 'revoke', id)).toMatchObject({ code: 0 });
    expect((await asAgent(['tools', 'list'], { token })).code).toBe(3);
  });

  test('a rotated token has the same scopes, and the old one lives on for a while', async () => {
    const old = await mint('alpha:read');
    const next = JSON.parse((await asOwner('token', 'rotate', old.id, '--overlap', '5m', '--json')).out);
    expect(next).toMatchObject({ account: old.account, scopes: old.scopes });
    expect(next.id).not.toBe(old.id);
    expect((await asAgent(['tools', 'list'], { token: old.token })).code).toBe(0);
  });

  test('a token for administration is asked for by --admin, not by a scope', async () => {
    expect(await asOwner('token', 'create', '--name', 'x', '--scope', 'admin:*')).toMatchObject({ code: 2 });
    const scraper = ['--name', 'scraper', '--scope', 'admin:read', '--kind', 'service', '--json'];
    expect(JSON.parse((await asOwner('token', 'create', ...scraper)).out)).toMatchObject({
      kind: 'service',
      scopes: ['admin:read'],
    });
    expect(JSON.parse((await asOwner('token', '--admin', '--json')).out)).toMatchObject({
      kind: 'owner',
      scopes: ['admin:*'],
    });
  });

  test('where no gateway runs, it ends with 4 and says how to start one', async () => {
    const other = temporaryFolder();
    writeFileSync(join(other, 'sallyport.yaml'), 'version: 1\n');
    const result = await cli(['token', 'list'], { cwd: other });
    expect(result).toMatchObject({ code: 4, err: expect.stringContaining('sallyport run') });
    rmSync(other, { recursive: true });
  });
});

const sealOf = (project: string) =>
  auditKeys(gatewayKeys({ masterKeyFile: join(project, '.sallyport-keys/master.key') })).seal;

describe('audit', () => {
  test('search finds what was refused, tail shows it, export writes NDJSON', async () => {
    await asAgent(['tools', 'call', 'alpha.Thing.Nope']);
    const { records } = JSON.parse((await asOwner('audit', 'search', '--reason', 'unknown_tool', '--json')).out);
    expect(records[0]).toMatchObject({ tool: 'alpha.Thing.Nope', outcome: 'refused', subject: 'run' });
    const trace = await asOwner('audit', 'search', '--trace', records[0].callId);
    expect(trace.out).toMatch(/refused unknown_tool +run +alpha\.Thing\.Nope/);
    expect((await asOwner('audit', 'tail', '--no-follow')).out).toContain('alpha.Thing.Nope');
    const lines = (await asOwner('audit', 'export', '--outcome', 'refused')).out.trim().split('\n');
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ seq: expect.any(Number), hash: expect.any(String) });
  });

  test('verify proves the chain, and names the record that was changed', async () => {
    expect(await asOwner('audit', 'verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('one unbroken chain'),
    });
    const copy = temporaryFolder();
    writeFileSync(join(copy, 'sallyport.yaml'), `version: 1\ndata: ${copy}/data\n`);
    const database = new DatabaseSync(join(folder, '.sallyport/audit.db'), { readOnly: true });
    mkdirSync(join(copy, 'data'), { mode: 0o700 });
    database.exec(`VACUUM INTO '${join(copy, 'data/audit.db')}'`);
    database.close();
    const changed = new DatabaseSync(join(copy, 'data/audit.db'));
    changed.exec(`UPDATE audit SET record = replace(record, 'refused', 'answered') WHERE seq = 2`);
    changed.exec(`UPDATE audit SET record = record || ' ' WHERE seq = 2`);
    changed.close();
    const result = await cli(['audit', 'verify'], { cwd: copy });
    expect(result).toMatchObject({ code: 1, err: expect.stringContaining('record 2') });
    rmSync(copy, { recursive: true });
  });

  test('an auditor verifies a day and a call with nothing but files and the public key', async () => {
    const away = temporaryFolder();
    const auditor = (...args: string[]) => cli(['audit', ...args], { cwd: away });
    const { records } = JSON.parse((await asOwner('audit', 'search', '--limit', '1', '--json')).out);
    const key = (await asOwner('audit', 'key')).out.trim();
    const day = (await asOwner('audit', 'export', '--evidence', '--since', '24h')).out;
    const proof = (await asOwner('audit', 'prove', records[0].callId)).out;
    for (const [name, text] of Object.entries({ key, day, proof })) writeFileSync(join(away, name), text);
    expect(await auditor('verify', 'day', '--key', 'key')).toMatchObject({
      code: 0,
      out: expect.stringContaining('one unbroken chain'),
      err: expect.stringContaining('No checkpoint was kept elsewhere'),
    });
    const witness = join(folder, '.sallyport-keys/audit-checkpoints.log');
    expect((await auditor('verify', 'day', '--key', key, '--witness', witness)).code).toBe(0);
    const proven = await auditor('verify', 'proof', '--key', key, '--json');
    expect(JSON.parse(proven.out)).toMatchObject({ ok: true, records: [{ callId: records[0].callId }] });
    writeFileSync(join(away, 'proof'), proof.replaceAll('"run"', '"mallory"'));
    expect(await auditor('verify', 'proof', '--key', key)).toMatchObject({
      code: 1,
      err: expect.stringContaining('proves nothing'),
    });
    writeFileSync(join(away, 'day'), day.replaceAll('"subject":"run"', '"subject":"mallory"'));
    expect(await auditor('verify', 'day', '--key', key)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/record \d+: changed/),
    });
    expect(await auditor('verify', 'day')).toMatchObject({ code: 2, err: expect.stringContaining('--key') });
    expect(await auditor('verify', 'day', '--key', 'nonsense')).toMatchObject({
      code: 1,
      err: expect.stringContaining('not a verifier key'),
    });
    expect(await asOwner('audit', 'prove', 'nothing')).toMatchObject({ code: 1 });
    rmSync(away, { recursive: true });
  });

  test('search goes on page by page, and finds nothing where nothing is', async () => {
    const page = async (...words: string[]) =>
      JSON.parse((await asOwner('audit', 'search', '--json', '--limit', '1', ...words)).out);
    const first = await page('--since', '1h');
    const second = await page('--since', '1h', '--before', first.next);
    expect(second.records[0].seq).toBeLessThan(first.records[0].seq);
    expect(await page('--policy', 'nobodys')).toEqual({ records: [] });
    expect(await page('--until', '1h')).toEqual({ records: [] });
    const { err } = await asOwner('audit', 'search', '--limit', '1');
    expect(err).toMatch(/go on with --before \d+/);
  });

  test('a word that is no outcome is refused, and so is a page that is none', async () => {
    expect(await asOwner('audit', 'search', '--outcome', 'maybe')).toMatchObject({ code: 2 });
    expect(await asOwner('audit', 'search', '--shadow', 'maybe')).toMatchObject({ code: 2 });
    expect(await asOwner('audit', 'search', '--log', 'north')).toMatchObject({ code: 2 });
    expect(await asOwner('audit', 'search', '--before', 'now')).toMatchObject({
      code: 1,
      err: expect.stringContaining('not where a page ended'),
    });
  });

  test('erase destroys the keys of a day for good, and the log verifies as before', async () => {
    const { records } = JSON.parse((await asOwner('audit', 'search', '--limit', '1', '--json')).out);
    const day = new Date(records[0].timeMs).toISOString().slice(0, 10);
    const erase = (...args: string[]) => asOwner('audit', 'erase', ...args);
    for (const wrong of [['--day', day], ['--no-tenant'], ['--no-tenant', '--day', day, '--before', day]]) {
      expect(await erase(...wrong)).toMatchObject({ code: 2, err: expect.stringContaining('--no-tenant') });
    }
    expect(await erase('--no-tenant', '--day', 'today')).toMatchObject({ code: 1 });
    expect(await erase('--tenant', 'acme', '--before', day)).toMatchObject({
      code: 0,
      out: expect.stringContaining('no key'),
    });
    const [path, seal] = [join(folder, '.sallyport/audit.db'), sealOf(folder)];
    const [sealed] = await searchAudit(path, { tool: 'admin.audit.erase', outcome: 'answered' });
    expect((await openSealed(sealed!, { path, seal }))?.argumentsText).toContain('"tenant":"acme"');
    expect(await erase('--no-tenant', '--day', day)).toMatchObject({
      code: 0,
      out: expect.stringContaining('its key is'),
    });
    await expect(openSealed(sealed!, { path, seal })).rejects.toThrow('was destroyed');
    const { out } = await asOwner('audit', 'search', '--tool', 'admin.audit.erase', '--json');
    expect(JSON.parse(out).records.map(({ kind, outcome }: Record<string, string>) => `${kind} ${outcome}`)).toEqual(
      expect.arrayContaining(['outcome answered', 'intent intended']),
    );
    expect(await asOwner('audit', 'verify')).toMatchObject({ code: 0 });
  });
});

describe('mcp', () => {
  test('carries the protocol between a desktop host and the gateway, with nothing else on stdout', async () => {
    const words = ['--conditions=sallyport-source', join(import.meta.dirname, 'main.ts'), 'mcp'];
    const child = spawn(process.execPath, words, {
      env: { PATH: process.env.PATH, SALLYPORT_URL: ready.mcp, SALLYPORT_TOKEN: ready.token },
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (message: object) => {
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
      return JSON.parse((await lines.next()).value ?? '');
    };
    const clientInfo = { name: 'test', version: '1' };
    const initialized = await ask({
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
    });
    expect(initialized.result.serverInfo.name).toBe('sallyport');
    const answer = await ask({
      id: 2,
      method: 'tools/call',
      params: { name: 'alpha.Thing.Echo', arguments: { text: 'over stdio' } },
    });
    expect(answer.result.structuredContent).toEqual({ text: 'over stdio' });
    child.stdin.end();
    expect(await lines.next()).toMatchObject({ done: true });
  });

  test('without its variables it says so on stderr, and nothing on stdout', async () => {
    expect(await cli(['mcp'])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('SALLYPORT_URL') });
  });
});

describe('doctor', () => {
  test('finds a running gateway well', async () => {
    const { code, out } = await asOwner('doctor', '--json');
    const { ok, findings } = JSON.parse(out);
    expect([code, ok], out).toEqual([0, true]);
    expect(findings.map((finding: any) => finding.what)).toEqual(
      expect.arrayContaining(['Node.js', 'data folder', 'audit log']),
    );
  });

  test('names a file that others can read, and the command that mends it', async () => {
    const key = join(folder, '.sallyport-keys/master.key');
    chmodSync(key, 0o644);
    const { code, out } = await asOwner('doctor');
    chmodSync(key, 0o600);
    expect(code).toBe(1);
    expect(out).toContain(`chmod 600 '${key}'`);
  });

  test('without a configuration it says where it looked', async () => {
    expect(await cli(['doctor'])).toMatchObject({
      code: 1,
      out: expect.stringContaining('There is no configuration at'),
    });
  });
});

describe('every command', () => {
  test('help shows examples and the exit codes', async () => {
    expect((await cli(['--help'])).out).toContain('Exit codes:');
    expect((await cli(['run', '--help'])).out).toContain('$ sallyport run');
  });

  test('a wrong word is a wrong use, told in one line, without a stack trace', async () => {
    const { code, err } = await cli(['rnu']);
    expect(code).toBe(2);
    expect(err).toContain('run');
    expect(err).not.toContain('    at ');
  });

  test('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
    expect((await cli(['--version'])).out.trim()).toBe(version);
  });
});
