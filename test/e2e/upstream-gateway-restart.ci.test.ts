import { afterEach, describe, expect, it } from 'vitest';
import { endAll, pause, until } from './support/program.ts';
import { type Caller, connectFirstCaller, connectSecondCaller, startNonceLoad } from './support/upstream-callers.ts';
import { countNoted } from './support/upstream-ledger.ts';
import { answerTo, askModern } from './support/upstream-raw.ts';
import { type FaultWorld, startFaultWorld } from './support/upstream-world.ts';

afterEach(endAll);

const targetOf = ({ mount, token }: FaultWorld) => ({ url: mount, token });

describe('a gateway that is started again under load', () => {
  it.each(['first', 'second'] as const)(
    '%s: modern clients go on, old ones are told that their session is gone, nothing is done twice',
    async (kind) => {
      const world = await startFaultWorld(kind);
      const callers: Caller[] = [];
      for (let i = 0; i < 4; i++) {
        callers.push(await connectFirstCaller(targetOf(world)), await connectSecondCaller(targetOf(world)));
      }
      const load = startNonceLoad(callers, world.upstream.tools.echo);
      await until(() => load.fates.length > 200);
      world.gateway.program.kill('SIGKILL');
      await world.gateway.program.ended;
      const again = await world.restartGateway();
      const backMs = performance.now();
      await pause(1_000);
      const fates = await load.stop();
      // What each client gets now that the gateway is there again.
      for (const caller of callers.filter(({ era }) => era === 'modern')) {
        const { end } = await caller.call(world.upstream.tools.echo, crypto.randomUUID());
        expect(end).toBe('answered');
        expect(caller.introductions).toBe(0);
      }
      for (const caller of callers.filter(({ era }) => era === 'legacy')) {
        const { end, words } = await caller.call(world.upstream.tools.echo, crypto.randomUUID());
        expect(end).toBe('unknown_session');
        expect(words).toContain('initialize again');
        await caller.close();
        const next = await connectFirstCaller(targetOf(world));
        expect((await next.call(world.upstream.tools.echo, crypto.randomUUID())).end).toBe('answered');
        await next.close();
      }
      const ends = new Set(fates.map(({ end }) => end));
      const afterwards = new Set(fates.filter(({ startedMs }) => startedMs > backMs).map(({ end }) => end));
      process.stdout.write(
        `${kind}: ${JSON.stringify([...ends])}, once it was back ${JSON.stringify([...afterwards])}\n`,
      );
      const expected = ['answered', 'lost', 'unknown_session'];
      expect([...ends].filter((end) => !expected.includes(end))).toEqual([]);
      expect([...afterwards].sort()).toEqual(['answered', 'unknown_session']);
      const done = countNoted(world.upstream.ledger, 'done');
      expect(fates.filter(({ nonce }) => (done.get(nonce) ?? 0) > 1)).toEqual([]);
      const recorded = new Map<string, number>();
      for (const { callId } of await again.records({}, 1_000_000))
        recorded.set(callId, (recorded.get(callId) ?? 0) + 1);
      expect(fates.filter(({ callId }) => callId !== undefined && recorded.get(callId) !== 1)).toEqual([]);
      expect(await again.verify()).toMatchObject({ ok: true });
    },
  );
});

describe('a server that is away when the gateway is started again', () => {
  it.each(['second', 'stdio-first'] as const)(
    '%s: is known from before; its lists say so, its calls wait and are told to try again, until it is back',
    async (kind) => {
      const world = await startFaultWorld(kind);
      const listed = async () => (await askModern(targetOf(world), 'tools/list', {})).result;
      const tools = (await listed())?.tools;
      expect(tools).toHaveLength(3);
      // A server over stdio would be started again: it is kept from that.
      const isStdio = kind === 'stdio-first';
      if (isStdio) world.upstream.bar?.(true);
      else await world.upstream.crash();
      world.gateway.program.kill();
      await world.gateway.program.ended;
      await world.restartGateway(true);
      expect(await listed()).toMatchObject({ tools, _meta: { 'dev.sallyport/stale': [kind] } });
      const params = { name: world.upstream.tools.echo, arguments: { nonce: crypto.randomUUID() } };
      const refused = await askModern(targetOf(world), 'tools/call', params);
      expect(refused).toMatchObject({ status: 503, reason: 'upstream_unavailable' });
      if (isStdio) world.upstream.bar?.(false);
      await world.upstream.start();
      const again = { ...params, arguments: { nonce: crypto.randomUUID() } };
      await until(
        async () => (await askModern(targetOf(world), 'tools/call', again)).reason !== 'upstream_unavailable',
        'it is back',
        45_000,
      );
      await until(async () => !JSON.stringify(await listed()).includes('dev.sallyport/stale'), 'its lists are its own');
      const done = countNoted(world.upstream.ledger, 'done');
      expect([done.get(params.arguments.nonce), done.get(again.arguments.nonce)]).toEqual([undefined, 1]);
    },
  );
});

describe('a question that is open when the gateway is started again', () => {
  const askThenRestart = async (kind: 'first' | 'second' | 'kit', signal: 'SIGTERM' | 'SIGKILL') => {
    const world = await startFaultWorld(kind);
    const params = { name: world.upstream.tools.ask, arguments: { nonce: crypto.randomUUID() } };
    const asked = await askModern(targetOf(world), 'tools/call', params);
    expect(asked.result).toMatchObject({ resultType: 'input_required' });
    world.gateway.program.kill(signal);
    await world.gateway.program.ended;
    const again = await world.restartGateway();
    const answered = await askModern(targetOf(world), 'tools/call', answerTo(asked.result ?? {}, params));
    return { world, answered, again, params };
  };

  it.each(['SIGTERM', 'SIGKILL'] as const)('is answered where the server keeps no state (%s)', async (signal) => {
    const { world, answered, params } = await askThenRestart('second', signal);
    expect(answered.result).toMatchObject({ content: [{ text: `${params.arguments.nonce} {"ok":true}` }] });
    expect(countNoted(world.upstream.ledger, 'done').get(params.arguments.nonce)).toBe(1);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('is refused clearly where the call was parked (%s)', async (signal) => {
    const { again, answered, world, params } = await askThenRestart('first', signal);
    expect(answered).toMatchObject({ status: 409, reason: 'parked_elsewhere' });
    // Whoever begins anew is served.
    const asked = await askModern(targetOf(world), 'tools/call', params);
    const done = await askModern(targetOf(world), 'tools/call', answerTo(asked.result ?? {}, params));
    expect(done.result).toMatchObject({ content: [{ text: `${params.arguments.nonce} {"ok":true}` }] });
    expect(await again.verify()).toMatchObject({ ok: true });
  });

  it('is answered or refused clearly by a service of the kit, which parks its calls itself', async () => {
    const { answered, params } = await askThenRestart('kit', 'SIGKILL');
    process.stdout.write(`kit: ${JSON.stringify(answered)}\n`);
    if (answered.result === undefined) expect(['parked_elsewhere', 'state_invalid']).toContain(answered.reason);
    else expect(JSON.stringify(answered.result)).toContain(params.arguments.nonce);
  });
});
