import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { createHopFolder, listenAsGateway } from './hop/gateway.fixture.ts';

const file = fileURLToPath(new URL('./stubborn-service.fixture.ts', import.meta.url));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startProcess() {
  const hop = createHopFolder('stubborn');
  const gateway = await listenAsGateway(hop.socket, hop.credential);
  const first = gateway.nextEnd();
  const env = {
    PATH: process.env.PATH,
    SALLYPORT_HOP: `unix:${hop.socket}`,
    SALLYPORT_CREDENTIAL_FILE: hop.credentialFile,
  };
  const child: ChildProcess = spawn(process.execPath, ['--conditions=sallyport-source', file], { env });
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  closing.push(
    hop.remove,
    () => gateway.close(),
    () => child.kill('SIGKILL'),
  );
  const end = await first;
  await end.announcement;
  return { child, exit, end, output: () => output };
}

test('SIGTERM finishes what is in flight and exits with 0; what handlers leave behind is logged, not fatal', async () => {
  const { child, exit, end, output } = await startProcess();
  expect((await end.call('Clock.Wait', { waitMs: 1 })).kind).toBe('result');
  const running = end.call('Clock.Wait', { waitMs: 300 });
  await end.call('Clock.Wait', { waitMs: 1 });
  child.kill('SIGTERM');
  await end.next((frame) => frame.kind === 'notification' && frame.method === 'draining');
  expect((await running).kind).toBe('result');
  expect(await exit).toBe(0);
  expect(output()).toContain('a rejection that nobody handled');
});

test('a second SIGTERM exits at once', async () => {
  const { child, exit, end } = await startProcess();
  void end.call('Clock.Wait', { waitMs: 60_000 }, { timeoutMs: 60_000 });
  await end.call('Clock.Wait', { waitMs: 1 });
  child.kill('SIGTERM');
  await end.next((frame) => frame.kind === 'notification' && frame.method === 'draining');
  child.kill('SIGTERM');
  expect(await exit).toBe(1);
});
