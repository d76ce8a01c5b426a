import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ServiceEvent } from './events.ts';
import { createSupervisor, type ServicePlan, type Supervisor } from './supervisor.ts';

let folder: string;
let supervisor: Supervisor;
let events: [string, ServiceEvent][];

/** Instances are counted by what the processes print: `up` puts one into rotation, its end takes it out again. */
function rotation() {
  const listeners = new Set<() => void>();
  const counts = new Map<string, number>();
  return {
    instances: (service: string) => counts.get(service) ?? 0,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    add: (service: string, by: number) => {
      counts.set(service, (counts.get(service) ?? 0) + by);
      for (const listener of listeners) listener();
    },
  };
}

function createTestSupervisor(startTimeoutMs = 10_000) {
  const inRotation = rotation();
  return createSupervisor({
    rotation: inRotation,
    startTimeoutMs,
    hotReload: true,
    tell: (service, event) => {
      events.push([service, event]);
      if (event.kind === 'line' && event.text.startsWith('up')) inRotation.add(service, 1);
      if (event.kind === 'line' && event.text === 'down') inRotation.add(service, -1);
      if (event.kind === 'crashed') inRotation.add(service, -1);
    },
  });
}

function plan(name: string, source: string, more: Partial<ServicePlan> = {}): ServicePlan {
  const file = join(folder, `${name}.js`);
  writeFileSync(file, source);
  return {
    name,
    dependsOn: [],
    instances: 1,
    watch: [],
    process: { command: [process.execPath, file], cwd: folder, env: {} },
    ...more,
  };
}

const stays = (mark = 'up') =>
  `console.log(${JSON.stringify(mark)}, process.pid); setInterval(() => {}, 1000);
   process.on('SIGTERM', () => { console.log('down'); process.exit(0); });`;
const kinds = (service: string) =>
  events.filter(([name, event]) => name === service && event.kind !== 'line').map(([, event]) => event.kind);
const pids = () =>
  events.flatMap(([, event]) => (event.kind === 'starting' && event.pid !== undefined ? [event.pid] : []));
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-supervisor-'));
  events = [];
  supervisor = createTestSupervisor();
});

afterEach(async () => {
  await supervisor.stop();
  rmSync(folder, { recursive: true, force: true });
  expect(pids().filter(isAlive)).toEqual([]);
});

test('a service starts when those it depends on are up, and ends before them', async () => {
  await supervisor.start([plan('posts', stays(), { dependsOn: ['users'] }), plan('users', stays())]);
  const started = events.flatMap(([name, event]) =>
    event.kind === 'starting' || event.kind === 'up' ? [`${name} ${event.kind}`] : [],
  );
  expect(started).toEqual(['users starting', 'users up', 'posts starting', 'posts up']);
  await supervisor.stop();
  expect(events.flatMap(([name, event]) => (event.kind === 'stopped' ? [name] : []))).toEqual(['posts', 'users']);
});

test('a service that ends before it is up fails the start, by name and with its last lines', async () => {
  const failing = plan('users', `console.error('no database'); process.exit(7);`);
  await expect(supervisor.start([failing])).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/"users".*exit code 7/),
    hint: expect.stringContaining('no database'),
  });
});

test('a service that never announces itself fails the start', async () => {
  supervisor = createTestSupervisor(300);
  await expect(supervisor.start([plan('mute', 'setInterval(() => {}, 1000)')])).rejects.toMatchObject({
    message: expect.stringContaining('did not announce itself in time'),
  });
});

test('a program that does not exist is named', async () => {
  const missing = plan('ghost', '', { process: { command: ['/nowhere/at-all'], cwd: folder, env: {} } });
  await expect(supervisor.start([missing])).rejects.toMatchObject({
    message: expect.stringContaining('/nowhere/at-all'),
  });
});

test('a crashed process is started again after a while', async () => {
  await supervisor.start([plan('users', stays())]);
  process.kill(pids()[0]!, 'SIGKILL');
  await vi.waitFor(() => expect(kinds('users')).toEqual(['starting', 'up', 'crashed', 'starting', 'up']), 8_000);
});

test('a process that ignores SIGTERM is killed, and so is what it started', async () => {
  const stubborn = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    process.on('SIGTERM', () => {});
    console.log('child', child.pid);
    console.log('up');
    setInterval(() => {}, 1000);`;
  await supervisor.start([plan('stubborn', stubborn)]);
  const [, grandchild = ''] = events.flatMap(([, event]) =>
    event.kind === 'line' && event.text.startsWith('child') ? event.text.split(' ') : [],
  );
  expect(isAlive(Number(grandchild))).toBe(true);
  await supervisor.stop();
  await vi.waitFor(() => expect(isAlive(Number(grandchild))).toBe(false), 3_000);
});

test('changed sources bring a new process up before the old one ends', async () => {
  const users = plan('users', stays('up one'));
  await supervisor.start([{ ...users, watch: [folder] }]);
  plan('users', stays('up two'));
  await vi.waitFor(() => expect(kinds('users')).toContain('reloaded'), 10_000);
  const said = events.flatMap(([, event]) => (event.kind === 'line' ? [event.text.replace(/ \d+$/, '')] : []));
  expect(said).toEqual(['up one', 'up two', 'down']);
});

test('a change that does not start leaves the old process serving', async () => {
  const users = plan('users', stays());
  await supervisor.start([{ ...users, watch: [folder] }]);
  plan('users', 'this is not a program');
  await vi.waitFor(() => expect(kinds('users')).toContain('reload-failed'), 10_000);
  expect(isAlive(pids()[0]!)).toBe(true);
});

test('a changed configuration ends what is gone and starts what is new, and leaves the rest alone', async () => {
  const [users, posts, comments] = [plan('users', stays()), plan('posts', stays()), plan('comments', stays())];
  await supervisor.start([users, posts]);
  await supervisor.apply([posts, comments]);
  expect(kinds('users')).toEqual(['starting', 'up', 'stopped']);
  expect(kinds('posts')).toEqual(['starting', 'up']);
  expect(kinds('comments')).toEqual(['starting', 'up']);
});

test('every instance of a service gets a process', async () => {
  await supervisor.start([plan('users', stays(), { instances: 3 })]);
  expect(new Set(pids()).size).toBe(3);
});

test('processes end when the supervisor is ended in a way it did not foresee', async () => {
  const child = join(folder, 'child.cjs');
  writeFileSync(child, `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`);
  const parent = join(folder, 'parent.ts');
  const url = JSON.stringify(new URL('./child.ts', import.meta.url).href);
  const plan = JSON.stringify({ command: [process.execPath, child], cwd: folder, env: {} });
  writeFileSync(
    parent,
    `import { startChild } from ${url}; console.log(startChild(${plan}, () => {}).pid); throw new Error('oops');`,
  );
  const pid = Number(spawnSync(process.execPath, [parent], { encoding: 'utf8' }).stdout);
  expect(pid).toBeGreaterThan(0);
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 3_000);
});

test('stopping while services start leaves no process', async () => {
  const starting = supervisor.start([plan('mute', 'setInterval(() => {}, 1000)')]).catch(() => undefined);
  await vi.waitFor(() => expect(pids().length).toBe(1), 5_000);
  await supervisor.stop();
  await starting;
  await sleep(50);
  expect(pids().filter(isAlive)).toEqual([]);
});
