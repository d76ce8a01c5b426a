import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConfigError, type LoadedConfig, loadConfig } from './load.ts';
import { watchConfig } from './watch.ts';

let folder = '';
let stop = new AbortController();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-watch-'));
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  rmSync(folder, { recursive: true, force: true });
});

const port = (number: number) => `version: 1\nlisten: { port: ${number} }\n`;

async function start(path: string, options: { pollMs?: number; settleMs?: number; load?: typeof loadConfig } = {}) {
  const current = await loadConfig(path);
  const ports: number[] = [];
  const errors: unknown[] = [];
  const watched = watchConfig(path, {
    load: options.load ?? loadConfig,
    current,
    onChange: (loaded: LoadedConfig) => void ports.push(loaded.config.listen.port),
    onError: (error) => void errors.push(error),
    pollMs: options.pollMs ?? 40,
    settleMs: options.settleMs ?? 15,
    signal: stop.signal,
  });
  return { ports, errors, watched };
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 10 });

function put(text: string): string {
  const path = join(folder, 'sallyport.yaml');
  writeFileSync(path, text);
  return path;
}

test('a file written in place is picked up', async () => {
  const path = put(port(1));
  const { ports, errors } = await start(path);
  put(port(2));
  await eventually(() => expect(ports).toEqual([2]));
  expect(errors).toEqual([]);
});

test('a file renamed over the old one is picked up, again and again', async () => {
  const path = put(port(1));
  const { ports } = await start(path);
  for (const next of [2, 3, 4]) {
    writeFileSync(`${path}.new`, port(next));
    renameSync(`${path}.new`, path);
    await eventually(() => expect(ports.at(-1)).toBe(next));
  }
  expect(ports).toEqual([2, 3, 4]);
});

test('policies are followed with the configuration: a file that comes, changes, and goes', async () => {
  const seen: number[] = [];
  const load: typeof loadConfig = async (path) => {
    const loaded = await loadConfig(path);
    seen.push(loaded.config.policy.source.files.length);
    return loaded;
  };
  const { errors } = await start(put(port(1)), { load });
  const policy = join(folder, 'policies', 'a.cedar');
  mkdirSync(join(folder, 'policies'));
  writeFileSync(policy, '@id("a") forbid(principal, action, resource);');
  await eventually(() => expect(seen.at(-1)).toBe(1));
  writeFileSync(policy, 'forbid(');
  await eventually(() =>
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining('a.cedar:1:') })]),
  );
  unlinkSync(policy);
  await eventually(() => expect(seen.at(-1)).toBe(0));
});

test('reports of the file system hasten a look that would otherwise come in a day', async () => {
  const path = put(port(1));
  const { ports, watched } = await start(path, { pollMs: 86_400_000 });
  await watched.look();
  writeFileSync(`${path}.new`, port(2));
  renameSync(`${path}.new`, path);
  await eventually(() => expect(ports).toEqual([2]));
});

test('a swap of the folder behind a symbolic link is seen, as Kubernetes mounts config maps', async () => {
  const version = (name: string, text: string) => {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'sallyport.yaml'), text);
  };
  const swapTo = (name: string) => {
    symlinkSync(name, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  version('..v1', port(1));
  swapTo('..v1');
  const path = join(folder, 'sallyport.yaml');
  symlinkSync(join('..data', 'sallyport.yaml'), path);
  const { ports, errors } = await start(path);
  for (const next of [2, 3, 4]) {
    version(`..v${next}`, port(next));
    swapTo(`..v${next}`);
    rmSync(join(folder, `..v${next - 1}`), { recursive: true });
    await eventually(() => expect(ports.at(-1)).toBe(next));
  }
  expect(ports).toEqual([2, 3, 4]);
  expect(errors).toEqual([]);
});

test('a broken file keeps the last good one and is reported once, however long it stays', async () => {
  const path = put(port(1));
  const { ports, errors, watched } = await start(path);
  put('version: 1\nlisen: {}\n');
  await eventually(() => expect(errors).toHaveLength(1));
  for (let look = 0; look < 5; look++) await watched.look();
  expect(errors).toHaveLength(1);
  expect(errors[0]).toBeInstanceOf(ConfigError);
  expect(String(errors[0])).toContain('did you mean "listen"?');
  expect(ports).toEqual([]);
  put(port(1));
  await watched.look();
  expect(ports).toEqual([]);
  put('version: 1\nlisen: {}\n');
  await eventually(() => expect(errors).toHaveLength(2));
  put(port(2));
  await eventually(() => expect(ports).toEqual([2]));
});

test('a file that is removed is reported, and read when it is made again', async () => {
  const path = put(port(1));
  const { ports, errors } = await start(path);
  unlinkSync(path);
  await eventually(() => expect(errors).toHaveLength(1));
  expect(String(errors[0])).toContain('there is no such file');
  put(port(2));
  await eventually(() => expect(ports).toEqual([2]));
});

test('a folder that is removed and made again is followed', async () => {
  const inner = join(folder, 'etc');
  mkdirSync(inner);
  const path = join(inner, 'sallyport.yaml');
  writeFileSync(path, port(1));
  const { ports } = await start(path);
  rmSync(inner, { recursive: true });
  mkdirSync(inner);
  writeFileSync(path, port(2));
  await eventually(() => expect(ports).toEqual([2]));
});

test('while a file is still being written it is not read', async () => {
  const path = put(port(1));
  const { ports, errors, watched } = await start(path, { settleMs: 500 });
  await watched.look();
  let text = '';
  // Faster than files count as settled: every look in between sees other contents.
  for (const part of ['version: 1\n', 'listen:\n', '  port: 4', '2', '\n']) {
    text += part;
    put(text);
    await delay(5);
  }
  await eventually(() => expect(ports.at(-1)).toBe(42));
  expect(errors).toEqual([]);
});

test('the credential files that it names are followed too, also one that is still missing', async () => {
  const path = put(port(1));
  const { ports, errors, watched } = await start(path);
  put(`${port(2)}announce: { credentials: [{ file: a.json }] }\n`);
  await eventually(() => expect(errors).toHaveLength(1));
  writeFileSync(join(folder, 'a.json'), 'one');
  await eventually(() => expect(ports).toEqual([2]));
  await watched.look();
  writeFileSync(join(folder, 'a.json'), 'two');
  await eventually(() => expect(ports).toEqual([2, 2]));
});

test('a change between loading and watching is not lost', async () => {
  const path = put(port(1));
  const current = await loadConfig(path);
  put(port(2));
  const ports: number[] = [];
  watchConfig(path, {
    load: loadConfig,
    current,
    onChange: ({ config }) => void ports.push(config.listen.port),
    onError: () => undefined,
    pollMs: 86_400_000,
    settleMs: 5,
    signal: stop.signal,
  });
  await eventually(() => expect(ports).toEqual([2]));
});

test('a comment changes the revision and is a change; writing the same again is none', async () => {
  const path = put(port(1));
  const { ports, watched } = await start(path);
  put(port(1));
  await watched.look();
  expect(ports).toEqual([]);
  put(`${port(1)}# same\n`);
  await watched.look();
  expect(ports).toEqual([1]);
});

test('a change that cannot be applied is reported and the watch goes on', async () => {
  const path = put(port(1));
  const errors: unknown[] = [];
  const ports: number[] = [];
  watchConfig(path, {
    load: loadConfig,
    onChange({ config }) {
      if (config.listen.port === 2) throw new Error('cannot listen');
      ports.push(config.listen.port);
    },
    onError: (error) => void errors.push(error),
    pollMs: 30,
    settleMs: 5,
    signal: stop.signal,
  });
  await eventually(() => expect(ports).toEqual([1]));
  put(port(2));
  await eventually(() => expect(String(errors)).toContain('cannot listen'));
  put(port(3));
  await eventually(() => expect(ports).toEqual([1, 3]));
});

test('after the signal nothing is reported any more', async () => {
  const path = put(port(1));
  const { ports, watched } = await start(path);
  await watched.look();
  stop.abort();
  put(port(2));
  await watched.look();
  await delay(100);
  expect(ports).toEqual([]);
});
