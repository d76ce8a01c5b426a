import { duplexPair } from 'node:stream';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { createNewsDesk } from '../news.ts';
import { createRunner } from '../runner.ts';
import { createToolTable } from '../tool-table.ts';
import { startSession } from './session.ts';
import { createWire } from './wire.ts';

const log = pino({ level: 'silent' });

afterEach(() => void vi.useRealTimers());

async function startOverPair() {
  const [near, far] = duplexPair();
  const nowMs = () => 0;
  const rules = { nowMs, environment: undefined };
  const table = await createToolTable({ service: 'tasks', version: '1.0.0' }, rules).ready();
  const runner = createRunner({ table, concurrency: 1, service: 'tasks', log, nowMs, instance: 'i', tasks: undefined });
  const wire = createWire(near);
  const news = createNewsDesk();
  const session = startSession(wire, { manifest: table.manifest, instance: 'i', runner, news, log, nowMs });
  far.resume();
  return { session, far, wire };
}

test('a gateway that falls silent is left, one that pings is not', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { session, far, wire } = await startOverPair();
  far.write('{"jsonrpc":"2.0","id":0,"result":{}}\n');
  expect(await session.announced).toBe(true);
  for (let second = 0; second < 10; second += 1) {
    const { heard } = wire;
    far.write('{"jsonrpc":"2.0","id":"p","method":"ping"}\n');
    await vi.waitFor(() => expect(wire.heard).toBeGreaterThan(heard), 15_000);
    vi.advanceTimersByTime(1_000);
  }
  vi.advanceTimersByTime(4_000);
  far.write('{"jsonrpc":"2.0","id":"p","method":"ping"}\n');
  await vi.waitFor(() => expect(wire.heard).toBe(12), 15_000);
  vi.advanceTimersByTime(1_000);
  vi.advanceTimersByTime(4_000);
  vi.advanceTimersByTime(1_000);
  expect(await session.closed).toBe('the gateway fell silent');
});

test('a gateway that never answers the announcement is left', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { session } = await startOverPair();
  vi.advanceTimersByTime(5_000);
  expect(await session.announced).toBe(false);
  expect(await session.closed).toBe('the gateway did not answer the announcement');
});

test('unknown methods get an answer, unknown notifications and answers nobody waits for get none', async () => {
  const { session, far } = await startOverPair();
  const sent: string[] = [];
  far.setEncoding('utf8').on('data', (chunk) => sent.push(String(chunk)));
  far.write('{"jsonrpc":"2.0","method":"nope"}\n{"jsonrpc":"2.0","id":"s9","result":{}}\n');
  far.write('{"jsonrpc":"2.0","method":"cancel"}\n{"jsonrpc":"2.0","method":"cancel","params":{"id":"x"}}\n');
  far.write('{"jsonrpc":"2.0","id":9,"method":"nope"}\n');
  await vi.waitFor(() => expect(sent.join('')).toContain('{"jsonrpc":"2.0","id":9,"error":'), 15_000);
  expect(sent.join('').trim().split('\n')).toHaveLength(2);
  session.close();
});
