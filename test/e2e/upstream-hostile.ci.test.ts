import { afterEach, describe, expect, it } from 'vitest';
import { endAll, pause, until } from './support/program.ts';
import { connectFirstCaller, connectSecondCaller, type NonceFate, startNonceLoad } from './support/upstream-callers.ts';
import { countNoted, readLedger } from './support/upstream-ledger.ts';
import { heldBy, watchMost } from './support/upstream-memory.ts';
import { answerTo, askModern } from './support/upstream-raw.ts';
import { askWithoutReading, askWithoutWriting } from './support/upstream-sockets.ts';
import { type FaultWorld, startFaultWorld } from './support/upstream-world.ts';

afterEach(endAll);

const targetOf = ({ mount, token }: FaultWorld) => ({ url: mount, token });
const MiB = 1_024 * 1_024;

/** Somebody else who calls meanwhile: every call of his is answered. */
async function startBystander(world: FaultWorld) {
  const callers = [await connectFirstCaller(targetOf(world)), await connectSecondCaller(targetOf(world))];
  const load = startNonceLoad(callers, 'echo', { restMs: 5 });
  await pause(500);
  return {
    async stop(): Promise<readonly NonceFate[]> {
      const fates = await load.stop();
      await Promise.all(callers.map((caller) => caller.close()));
      return fates;
    },
  };
}

function medianMs(fates: readonly NonceFate[]): number {
  const took = fates.map(({ startedMs, endedMs }) => endedMs - startedMs).sort((a, b) => a - b);
  return Math.round((took[Math.floor(took.length / 2)] ?? 0) * 10) / 10;
}

const poured = (world: FaultWorld): readonly number[] =>
  readLedger(world.upstream.ledger).flatMap((line) => (line.startsWith('poured ') ? [Number(line.slice(7))] : []));

describe.each(['hostile-legacy', 'hostile-modern'] as const)('%s: a server', (kind) => {
  it('that floods is cut at the bound, in bounded memory, and slows nobody down', async () => {
    const world = await startFaultWorld(kind);
    const { pid } = world.gateway.program;
    const bystander = await startBystander(world);
    const before = heldBy(pid);
    const stopWatching = watchMost(pid);
    const caller = await connectFirstCaller(targetOf(world));
    const ends: Record<string, string> = {};
    for (const tool of ['flood', 'event', 'body']) {
      ends[tool] = (await caller.call(tool, crypto.randomUUID())).end;
    }
    const fates = await bystander.stop();
    await until(() => poured(world).length === 3, 'the server noticed');
    await caller.close();
    const most = stopWatching();
    const sizes = poured(world).map((bytes) => Math.round(bytes / MiB));
    process.stdout.write(
      `${kind}: cut after ${sizes} MiB; memory ${before.memory} → ${most.memory} MiB at most; others' median ${medianMs(fates)} ms\n`,
    );
    expect(ends).toEqual({ flood: 'upstream_failed', event: 'upstream_failed', body: 'upstream_failed' });
    expect(new Set(fates.map(({ end }) => end))).toEqual(new Set(['answered']));
    const [flood = 0, event = 0, body = 0] = poured(world);
    // What is cut is 64 MiB and 8 MiB; what is on its way then is some buffers of the operating system's.
    expect(flood).toBeLessThan(80 * MiB);
    expect(event).toBeLessThan(24 * MiB);
    expect(body).toBeLessThan(24 * MiB);
    expect(most.memory - before.memory).toBeLessThan(400);
  });

  it('that never answers, or only says that it is there, is timed out and told', async () => {
    const tools = { [`${kind}.*`]: { timeout: '700ms' } };
    const world = await startFaultWorld(kind, { config: { tools } });
    const nonces: string[] = [];
    for (const caller of [await connectFirstCaller(targetOf(world)), await connectSecondCaller(targetOf(world))]) {
      for (const tool of ['silent', 'trickle']) {
        const { nonce, end } = await caller.call(tool, crypto.randomUUID());
        nonces.push(nonce);
        expect(end).toBe('upstream_timeout');
      }
      await caller.close();
    }
    await until(() => countNoted(world.upstream.ledger, 'cut').size === nonces.length, 'all streams are cut');
    const cut = countNoted(world.upstream.ledger, 'cut');
    expect(nonces.filter((nonce) => cut.get(nonce) !== 1)).toEqual([]);
    // In the legacy era that a connection ends means nothing: there it is said.
    if (kind === 'hostile-legacy') {
      await until(() => countNoted(world.upstream.ledger, 'told').size === nonces.length, 'all are told');
      const ids = [...countNoted(world.upstream.ledger, 'id').keys()];
      expect([...countNoted(world.upstream.ledger, 'told').keys()].sort()).toEqual(ids.sort());
    }
  });
});

describe('a call that waits for its caller', () => {
  it('is given up when nobody answers, and the server is told', async () => {
    const config = { limits: { parked: { time: '700ms' } } };
    const world = await startFaultWorld('first', { config });
    const params = { name: 'ask', arguments: { nonce: crypto.randomUUID() } };
    const asked = await askModern(targetOf(world), 'tools/call', params);
    expect(asked.result).toMatchObject({ resultType: 'input_required' });
    await until(() => countNoted(world.upstream.ledger, 'declined').has(params.arguments.nonce), 'the server is told');
    expect(countNoted(world.upstream.ledger, 'done').size).toBe(0);
    const late = await askModern(targetOf(world), 'tools/call', answerTo(asked.result ?? {}, params));
    expect(late).toMatchObject({ status: 409, reason: 'parked_elsewhere' });
  });

  it('and gets no answer after that is timed out, and the server is told', async () => {
    const world = await startFaultWorld('first', { config: { tools: { 'first.*': { timeout: '700ms' } } } });
    const params = { name: 'ask', arguments: { nonce: crypto.randomUUID(), ms: 3_600_000 } };
    const asked = await askModern(targetOf(world), 'tools/call', params);
    // It may wait for its caller longer than a call may take.
    await pause(1_000);
    const answered = await askModern(targetOf(world), 'tools/call', answerTo(asked.result ?? {}, params));
    expect(answered).toMatchObject({ status: 504, reason: 'upstream_timeout' });
    await until(() => countNoted(world.upstream.ledger, 'cancelled').has(params.arguments.nonce), 'the server is told');
  });
});

describe('a client', () => {
  it('that does not read what floods it is cut off, in bounded memory, and slows nobody down', async () => {
    const world = await startFaultWorld('hostile-modern');
    const { pid } = world.gateway.program;
    const bystander = await startBystander(world);
    const before = heldBy(pid);
    const stopWatching = watchMost(pid);
    const slow = await Promise.all(
      Array.from({ length: 10 }, () => askWithoutReading(targetOf(world), { name: 'flood', arguments: {} })),
    );
    // They are cut as soon as a megabyte waits; they would notice by reading, the server notices at once.
    await until(() => poured(world).length === slow.length, 'the server is told of all of them');
    const fates = await bystander.stop();
    const most = stopWatching();
    for (const { socket } of slow) socket.destroy();
    const largest = Math.round(Math.max(...poured(world)) / MiB);
    process.stdout.write(
      `ten that do not read: cut after ${largest} MiB at most; memory ${before.memory} → ${most.memory} MiB; others' median ${medianMs(fates)} ms\n`,
    );
    expect(new Set(fates.map(({ end }) => end))).toEqual(new Set(['answered']));
    expect(most.memory - before.memory).toBeLessThan(400);
  });

  it('that does not finish its request is cut off, and slows nobody down', async () => {
    const limits = { headersTimeout: '1s', requestTimeout: '2s' };
    const world = await startFaultWorld('hostile-modern', { config: { limits } });
    const { pid } = world.gateway.program;
    const bystander = await startBystander(world);
    const before = heldBy(pid);
    const slow = await Promise.all(
      Array.from({ length: 200 }, () => askWithoutWriting(targetOf(world), 4 * MiB, '{'.padEnd(64 * 1_024))),
    );
    const most = heldBy(pid);
    await Promise.all(slow.map(({ closed }) => closed));
    const fates = await bystander.stop();
    const after = heldBy(pid);
    process.stdout.write(
      `200 that do not finish: ${JSON.stringify([before, most, after])}; others' median ${medianMs(fates)} ms\n`,
    );
    expect(new Set(fates.map(({ end }) => end))).toEqual(new Set(['answered']));
    expect(after.handles).toBeLessThan(before.handles + 20);
  });
});
