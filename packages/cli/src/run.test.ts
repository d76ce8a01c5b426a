import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type CliProcess,
  cli,
  isAlive,
  type ReadyEvent,
  serviceSource,
  startCli,
  temporaryFolder,
  writeProject,
} from './cli.fixture.ts';

let folder: string;
let started: CliProcess[];

const anyPorts = ['--port', '0', '--admin-port', '0', '--json'];

function run(args: readonly string[] = [], env: Record<string, string> = {}): CliProcess {
  const process = startCli(['run', ...anyPorts, ...args], { cwd: folder, env });
  started.push(process);
  return process;
}

async function call({ mcp, token }: ReadyEvent, tool: string): Promise<any> {
  const result = await cli(['tools', 'call', tool, '--json'], { env: { SALLYPORT_URL: mcp, SALLYPORT_TOKEN: token } });
  if (result.code !== 0) throw new Error(result.err);
  return JSON.parse(result.out).result;
}

beforeEach(() => {
  folder = temporaryFolder();
  started = [];
});
afterEach(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL');
    await ended();
  }
  rmSync(folder, { recursive: true, force: true });
});

test('when everything answers, one line of JSON says where and with which token; everything else is on stderr', async () => {
  writeProject(folder, { alpha: serviceSource('alpha'), beta: serviceSource('beta') });
  const process = run();
  const ready = await process.ready();
  expect(ready).toMatchObject({
    event: 'ready',
    services: [
      { name: 'alpha', instances: 1 },
      { name: 'beta', instances: 1 },
    ],
  });
  expect(ready.mcp).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
  const { pid } = await call(ready, 'alpha.Thing.Ping');
  expect(pid).not.toBe(process.child.pid);

  process.child.kill('SIGTERM');
  expect(await process.ended()).toBe(0);
  expect(process.stdout().trim().split('\n')).toHaveLength(1);
  expect(isAlive(pid)).toBe(false);
  expect(existsSync(join(folder, '.sallyport/run'))).toBe(false);
  expect(process.stderr()).not.toContain(ready.token);
});

test('credentials of services lie in files that only the owner can read, and secrets of the shell reach no service', async () => {
  const tell = `writeFileSync(process.env.SALLYPORT_DATA + '/env.json', JSON.stringify(process.env));`;
  writeProject(folder, { alpha: serviceSource('alpha', tell) });
  await run([], { AWS_SECRET_ACCESS_KEY: 'hunter2', SALLYPORT_TOKEN: 'hunter2' }).ready();
  const text = readFileSync(join(folder, '.sallyport/services/alpha/env.json'), 'utf8');
  expect(text).not.toContain('hunter2');
  const env = JSON.parse(text);
  expect(
    Object.keys(env)
      .filter((name) => name.startsWith('SALLYPORT_'))
      .sort(),
  ).toEqual(['SALLYPORT_CREDENTIAL_FILE', 'SALLYPORT_DATA', 'SALLYPORT_HOP']);
  expect(statSync(env.SALLYPORT_CREDENTIAL_FILE).mode & 0o777).toBe(0o600);
  expect(text).not.toContain(JSON.parse(readFileSync(env.SALLYPORT_CREDENTIAL_FILE, 'utf8')).key);
  expect(statSync(join(folder, '.sallyport')).mode & 0o777).toBe(0o700);
});

test('services end when sallyport is killed', async () => {
  writeProject(folder, { alpha: serviceSource('alpha') });
  const process = run();
  const { pid } = await call(await process.ready(), 'alpha.Thing.Ping');
  process.child.kill('SIGKILL');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 10_000);
});

test('a killed service comes back, and answers again', async () => {
  writeProject(folder, { alpha: serviceSource('alpha') });
  const ready = await run().ready();
  const { pid } = await call(ready, 'alpha.Thing.Ping');
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(async () => expect((await call(ready, 'alpha.Thing.Ping')).pid).not.toBe(pid), {
    timeout: 15_000,
    interval: 250,
  });
});

test('changed sources take over without one call being lost; sources that do not start change nothing', async () => {
  writeProject(folder, { alpha: serviceSource('alpha') });
  const process = run();
  const ready = await process.ready();
  const { pid: first } = await call(ready, 'alpha.Thing.Ping');
  writeFileSync(join(folder, 'alpha.ts'), serviceSource('alpha', '// changed'));
  let pid = first;
  while (pid === first) {
    // Any call that fails fails the test.
    ({ pid } = await call(ready, 'alpha.Thing.Ping'));
    await sleep(30);
  }
  await vi.waitFor(() => expect(isAlive(first)).toBe(false), 10_000);
  writeFileSync(join(folder, 'alpha.ts'), 'not a program');
  await vi.waitFor(() => expect(process.stderr()).toContain('the new version did not come up'), 15_000);
  expect(await call(ready, 'alpha.Thing.Ping')).toEqual({ pid });
});

test('a changed configuration is followed: services come and go; a wrong one leaves everything as it was', async () => {
  writeProject(folder, { alpha: serviceSource('alpha') });
  writeFileSync(join(folder, 'beta.ts'), serviceSource('beta'));
  const process = run();
  const ready = await process.ready();
  const config = join(folder, 'sallyport.yaml');
  writeFileSync(config, 'version: 1\nservices:\n  beta: { command: [node, beta.ts], watch: [] }\n');
  await vi.waitFor(() => expect(process.stderr()).toMatch(/beta +│ up/), 15_000);
  await vi.waitFor(() => expect(process.stderr()).toMatch(/alpha +│ stopped/), 15_000);
  writeFileSync(config, 'version: 1\nservises: {}\n');
  await vi.waitFor(() => expect(process.stderr()).toContain('did you mean "services"?'), 15_000);
  expect(process.stderr()).toMatch(/sallyport\.yaml:2:1/);
  const names = await cli(['tools', 'list', '--json'], {
    env: { SALLYPORT_URL: ready.mcp, SALLYPORT_TOKEN: ready.token },
  });
  expect(names.code).toBe(0);
});

test('a service that does not come up ends it all, by name, with its last lines', async () => {
  writeProject(folder, {
    alpha: serviceSource('alpha'),
    broken: `console.error('no database here'); process.exit(3);`,
  });
  const process = run();
  const code = await process.ended();
  expect(code, process.stderr()).toBe(4);
  expect(process.stdout()).toBe('');
  const error = JSON.parse(process.stderr().trim().split('\n').at(-1) ?? '').error;
  expect(error).toMatchObject({ kind: 'unavailable', service: 'broken' });
  expect(error.message).toContain('exit code 3');
  expect(error.lines).toContain('no database here');
});

test('a second run on the same data is refused, and the first goes on', async () => {
  writeProject(folder, { alpha: serviceSource('alpha') });
  const ready = await run().ready();
  const second = run();
  const code = await second.ended();
  expect(code).toBe(4);
  expect(second.stderr()).toContain('already');
  expect(second.stdout()).toBe('');
  const { pid } = await call(ready, 'alpha.Thing.Ping');
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(async () => expect((await call(ready, 'alpha.Thing.Ping')).pid).not.toBe(pid), {
    timeout: 15_000,
    interval: 250,
  });
});

test('a port that is taken is named, and no service is left behind', async () => {
  writeProject(folder, { alpha: serviceSource('alpha') });
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const process = startCli(['run', '--port', String(port), '--admin-port', '0'], { cwd: folder });
  started.push(process);
  const code = await process.ended();
  expect(code, process.stderr()).toBe(4);
  expect(process.stderr()).toContain(`127.0.0.1:${port} is taken`);
  expect(process.stderr()).not.toContain('    at ');
  other.close();
});
