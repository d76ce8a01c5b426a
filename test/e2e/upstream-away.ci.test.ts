import { afterEach, describe, expect, it } from 'vitest';
import { endAll, pause, until } from './support/program.ts';
import { connectFirstCaller, connectSecondCaller } from './support/upstream-callers.ts';
import { countNoted } from './support/upstream-ledger.ts';
import { answerTo, askModern } from './support/upstream-raw.ts';
import { startFaultWorld } from './support/upstream-world.ts';

afterEach(endAll);

/** What a call waits for a server that is away, in milliseconds. */
const connectWaitMs = 1_000;
/** How long a service of the kit stays listed without an instance, in milliseconds: its calls wait no longer. */
const lingerMs = 900;
/** Clocks of two processes, and timers that are a little early. */
const slackMs = 50;

const startCallers = async (world: Awaited<ReturnType<typeof startFaultWorld>>) => {
  const target = { url: world.mount, token: world.token };
  return [await connectFirstCaller(target), await connectSecondCaller(target)] as const;
};

describe('a server whose only instance is away', () => {
  it.each(['first', 'second'] as const)(
    '%s: calls wait as long as they may, then are told to try again; nothing is done twice when it is back',
    async (kind) => {
      const world = await startFaultWorld(kind);
      const callers = await startCallers(world);
      const { echo } = world.upstream.tools;
      for (const caller of callers) expect((await caller.call(echo, crypto.randomUUID())).end).toBe('answered');
      await world.upstream.crash();
      const nonces: string[] = [];
      // At once, and long after it is known to be away.
      for (const restMs of [0, 2_000]) {
        await pause(restMs);
        const fates = await Promise.all(callers.map((caller) => caller.call(echo, crypto.randomUUID())));
        nonces.push(...fates.map(({ nonce }) => nonce));
        expect(fates.map(({ end }) => end)).toEqual(['upstream_unavailable', 'upstream_unavailable']);
        for (const { startedMs, endedMs, words } of fates) {
          expect(endedMs - startedMs).toBeGreaterThan(connectWaitMs - slackMs);
          expect(words).toContain('The service does not answer.');
        }
      }
      await world.upstream.start();
      for (const caller of callers) {
        await until(async () => (await caller.call(echo, crypto.randomUUID())).end === 'answered', 'it is back');
        expect(caller.notFound).toBe(0);
        expect(caller.introductions).toBe(caller.era === 'legacy' ? 1 : 0);
        await caller.close();
      }
      const done = countNoted(world.upstream.ledger, 'done');
      expect(nonces.filter((nonce) => done.has(nonce))).toEqual([]);
    },
  );

  it('kit: calls wait for as long as the service stays listed; after that it is off the list, and away', async () => {
    const world = await startFaultWorld('kit');
    const callers = await startCallers(world);
    const { echo } = world.upstream.tools;
    const nonces: string[] = [];
    const callAll = async () => {
      const fates = await Promise.all(callers.map((caller) => caller.call(echo, crypto.randomUUID())));
      nonces.push(...fates.map(({ nonce }) => nonce));
      return fates;
    };
    const endsOf = (fates: Awaited<ReturnType<typeof callAll>>) => fates.map(({ end }) => end);
    await world.upstream.crash();
    const waited = await callAll();
    expect(endsOf(waited)).toEqual(['upstream_unavailable', 'upstream_unavailable']);
    // The first one came when the instance had just left: it waited for nearly all of that time.
    expect(Math.max(...waited.map(({ startedMs, endedMs }) => endedMs - startedMs))).toBeGreaterThan(lingerMs / 2);
    await until(async () => (await world.gateway.services()).length === 0, 'it is off the list');
    expect(endsOf(await callAll())).toEqual(['upstream_unavailable', 'upstream_unavailable']);
    await world.upstream.start();
    for (const caller of callers) {
      await until(async () => (await caller.call(echo, crypto.randomUUID())).end === 'answered', 'it is back');
      expect(caller.introductions).toBe(caller.era === 'legacy' ? 1 : 0);
      await caller.close();
    }
    const done = countNoted(world.upstream.ledger, 'done');
    expect(nonces.filter((nonce) => done.has(nonce))).toEqual([]);
  });

  it('a call that came while it was away is answered when it is back in time', async () => {
    const world = await startFaultWorld('second');
    const callers = await startCallers(world);
    const { echo } = world.upstream.tools;
    let answered = 0;
    // A slow machine may take longer than a call waits to start a server: then there is another chance.
    await until(async () => {
      await world.upstream.crash();
      const back = world.upstream.start();
      const fates = await Promise.all(callers.map((caller) => caller.call(echo, crypto.randomUUID())));
      await back;
      answered += fates.filter(({ end }) => end === 'answered').length;
      return answered > 0;
    }, 'one was back in time');
    await Promise.all(callers.map((caller) => caller.close()));
  });
});

describe('a question that is open when its server dies', () => {
  const askThenCrash = async (kind: 'first' | 'second') => {
    const world = await startFaultWorld(kind);
    const target = { url: world.mount, token: world.token };
    const params = { name: world.upstream.tools.ask, arguments: { nonce: crypto.randomUUID() } };
    const { result = {} } = await askModern(target, 'tools/call', params);
    expect(result).toMatchObject({ resultType: 'input_required' });
    await world.upstream.crash();
    await world.upstream.start();
    const ask = () => askModern(target, 'tools/call', answerTo(result, params));
    let answered = await ask();
    while (answered.reason === 'upstream_unavailable') answered = await ask();
    return { answered, done: countNoted(world.upstream.ledger, 'done').get(params.arguments.nonce) ?? 0 };
  };

  it('is lost with an old server, where the call waited', async () => {
    const { answered, done } = await askThenCrash('first');
    expect(answered).toMatchObject({ status: 502, reason: 'upstream_failed' });
    expect(done).toBe(0);
  });

  it('is answered where the server keeps nothing', async () => {
    const { answered, done } = await askThenCrash('second');
    expect(answered.result).toMatchObject({ content: [{ text: expect.stringContaining('{"ok":true}') }] });
    expect(done).toBe(1);
  });
});
