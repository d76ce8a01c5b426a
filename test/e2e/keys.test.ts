import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  auditKeys,
  gatewayKeys,
  loadConfig,
  openSealed,
  searchAudit,
  verifyAudit,
  verifyEvidence,
} from '@sallyport/gateway';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli as runCommand } from '../../packages/cli/src/cli.fixture.ts';
import { deriveKey, keyPurposes, loadMasterKey } from '../../packages/gateway/src/secrets/index.ts';
import { sallyport, startGateway, type TestGateway, trialService, writeConfig } from './support/gateway.ts';
import { createPlants } from './support/plants.ts';
import { endAll, startNode, temporaryFolder } from './support/program.ts';

const { plant, foundIn } = createPlants();
let folder: string;
let config: string;
let gateway: TestGateway;
let token: string;
let sealedCall: string;
const path = () => join(folder, 'data/audit.db');
const keyFolder = () => join(folder, 'data-keys');
const argument = plant('an argument');

const cli = (...words: readonly string[]) => runCommand([...words, '--config', config]);

async function call(input: object = {}, as = token): Promise<string> {
  const response = await fetch(new URL('/mcp/call', gateway.mcp), {
    method: 'POST',
    headers: { Authorization: `Bearer ${as}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ tool: 'trials.Trial.Limited', input }),
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return String(response.headers.get('mcp-trace-id'));
}

async function evidence(): Promise<string[]> {
  const { out } = await cli('audit', 'export', '--evidence');
  return out.trim().split('\n');
}

async function restart(): Promise<void> {
  gateway.program.child.kill('SIGTERM');
  await gateway.program.ended;
  gateway = await startGateway('run', config);
}

beforeAll(async () => {
  folder = temporaryFolder();
  config = writeConfig(
    folder,
    `services:\n${trialService('trials')}\naudit: { sealOutput: [internal], durability: { writes: process } }\n`,
  );
  gateway = await startGateway('run', config);
  token = await gateway.mint('agent', ['*']);
  sealedCall = await call({ note: argument });
}, 60_000);
afterAll(endAll);

/** The bytes of all files below a folder. */
const filesIn = (where: string) =>
  readdirSync(where, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name))] as const);

test('a copy of the data without the master key reveals nothing that was handed to the gateway, and none of its keys', () => {
  const copy = join(temporaryFolder(), 'copy');
  cpSync(gateway.data, copy, { recursive: true, filter: (name) => !statSync(name).isSocket() });
  const files = filesIn(copy);
  expect(files.map(([name]) => name)).toEqual(expect.arrayContaining(['audit.db', 'audit-keys.db', 'state.db']));
  const keys = gatewayKeys({ masterKeyFile: join(keyFolder(), 'master.key') });
  const secrets = keyPurposes.map((purpose) => keys.of(purpose).export());
  for (const [name, bytes] of files) {
    expect(foundIn(bytes), name).toEqual([]);
    expect(bytes.includes(token.split('_').at(-1) ?? token), name).toBe(false);
    for (const secret of secrets) {
      for (const text of [secret, secret.toString('hex'), secret.toString('base64'), secret.toString('base64url')]) {
        expect(bytes.includes(text), name).toBe(false);
      }
    }
  }
  expect(() => gatewayKeys({ masterKeyFile: join(copy, 'master.key') })).toThrow('there is no master key');
});

test('with the key, and only with it, the arguments and the answer of a call can be read', async () => {
  const keys = gatewayKeys({ masterKeyFile: join(keyFolder(), 'master.key') });
  const [row] = await searchAudit(path(), { callId: sealedCall });
  const sealed = await openSealed(row!, { path: path(), seal: auditKeys(keys).seal });
  expect(sealed?.argumentsText).toContain(argument);
  expect(JSON.parse(String(sealed?.outputText))).toHaveProperty('content');
  expect(row?.record).toMatchObject({ outputSealed: true });
  const wrong = deriveKey(loadMasterKey(join(temporaryFolder(), 'other.key')), 'sealing').export();
  await expect(openSealed(row!, { path: path(), seal: wrong })).rejects.toThrow();
});

test('the signing key of a running gateway is rotated, on record, and auditors follow with the key they hold', async () => {
  const first = (await cli('audit', 'key')).out.trim();
  await call();
  const before = await evidence();
  const rotated = await cli('keys', 'rotate', 'audit-signing');
  expect(rotated, rotated.err).toMatchObject({ code: 0 });
  const second = rotated.out.trim();
  expect((await cli('audit', 'key')).out.trim()).toBe(second);
  expect(second).not.toBe(first);
  await call();
  // Evidence reaches as far as what is signed, which each record is soon, and not at once.
  await expect.poll(async () => (await verifyEvidence(await evidence(), { keys: [first] })).handovers).toBe(1);
  const after = await evidence();
  await expect(verifyEvidence(before, { keys: [first] })).resolves.toMatchObject({ ok: true });
  for (const key of [first, second]) {
    await expect(verifyEvidence(after, { keys: [key] })).resolves.toMatchObject({ ok: true, handovers: 1 });
    await expect(verifyAudit(path(), { keys: [key] })).resolves.toMatchObject({ ok: true, handovers: 1 });
  }
  const verified = await cli('audit', 'verify');
  expect(verified, verified.err).toMatchObject({ code: 0 });
  expect(verified.err).toContain('another key took over once');
  const [kept] = (await gateway.records({ tool: 'admin.keys.rotate' })).slice(-1);
  expect(kept).toMatchObject({ outcome: 'answered', subject: expect.any(String) });
});

test('the master key is rotated while the gateway runs, and everything goes on, also after a restart', async () => {
  const old = readFileSync(join(keyFolder(), 'master.key'));
  const rotated = await cli('keys', 'rotate', 'master');
  expect(rotated, rotated.err).toMatchObject({ code: 0 });
  expect(readFileSync(join(keyFolder(), 'master.key')).equals(old)).toBe(false);
  await call();
  await restart();
  // The token was hashed before, the arguments were sealed before, and statements were signed with keys sealed before.
  await call({ note: argument });
  await expect(gateway.verify()).resolves.toMatchObject({ ok: true });
  const keys = gatewayKeys({ masterKeyFile: join(keyFolder(), 'master.key') });
  const rows = await searchAudit(path(), { tool: 'trials.Trial.Limited' });
  const hashes = new Set<unknown>();
  for (const row of rows) {
    const text = (await openSealed(row, { path: path(), seal: auditKeys(keys).seal }))?.argumentsText;
    expect(text).toBeDefined();
    if (text?.includes(argument) && row.record.kind !== 'refusals') hashes.add(row.record.argumentsHash);
  }
  expect(hashes.size).toBe(1);
  const stolen = join(temporaryFolder(), 'stolen');
  mkdirSync(stolen, { mode: 0o700 });
  cpSync(join(keyFolder(), 'keyring.json'), join(stolen, 'keyring.json'));
  writeFileSync(join(stolen, 'master.key'), old, { mode: 0o600 });
  expect(() => gatewayKeys({ masterKeyFile: join(stolen, 'master.key') })).toThrow('under another master key');
});

test('keys that sign statements are rotated, those from before stay published, and all are listed', async () => {
  const published = async () => {
    const answer = await fetch(new URL('/.well-known/sallyport/assertion-keys.json', gateway.mcp));
    return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  };
  const before = await published();
  const rotated = await cli('keys', 'rotate', 'assertion', '--now');
  expect(rotated, rotated.err).toMatchObject({ code: 0 });
  const after = await published();
  expect(after).toEqual(expect.arrayContaining(before));
  expect(after.length).toBe(before.length + 1);
  const listed = await cli('keys', 'list');
  expect(listed.out).toMatch(new RegExp(`^assertion +\\S+ +signs .*${after[0]}$`, 'm'));
  expect(listed.out).toMatch(/^master /m);
  expect(listed.out).toMatch(/^audit-signing +\d{4}-/m);
  expect(await cli('keys', 'rotate', 'sign-in')).toMatchObject({
    code: 1,
    err: expect.stringContaining('auth.server'),
  });
  expect(await cli('keys', 'rotate', 'nonsense')).toMatchObject({ code: 1 });
});

test('while no gateway runs, a signing key waits for the next start, and the master key moves to a variable', async () => {
  gateway.program.child.kill('SIGTERM');
  await gateway.program.ended;
  expect(await cli('keys', 'rotate', 'audit-signing')).toMatchObject({
    code: 0,
    out: expect.stringContaining('starts'),
  });
  expect((await cli('keys', 'list')).out).toMatch(/^audit-signing .*another waits/m);
  expect(await cli('keys', 'rotate', 'assertion')).toMatchObject({ code: 4 });
  gateway = await startGateway('run', config);
  await call();
  await expect(gateway.verify()).resolves.toMatchObject({ ok: true, handovers: 2 });
  expect((await cli('keys', 'list')).out).not.toContain('another waits');
  gateway.program.child.kill('SIGTERM');
  await gateway.program.ended;
  const text = Buffer.alloc(32, 7).toString('base64');
  const words = ['keys', 'rotate', 'master', '--to', 'env:NEXT_KEY', '--config', config];
  const moved = startNode([...sallyport, ...words], { env: { NEXT_KEY: text, NO_COLOR: '1' } });
  expect(await moved.ended, moved.stderr()).toBe(0);
  const inFile = readFileSync(config, 'utf8');
  writeFileSync(config, `${inFile}masterKey: { env: NEXT_KEY }\n`);
  await expect(loadConfig(config)).resolves.toMatchObject({ config: { masterKey: { env: 'NEXT_KEY' } } });
  gateway = await startGateway('run', config, { env: { NEXT_KEY: text } });
  await call({ note: argument });
  writeFileSync(config, inFile);
});
