import { GatewayError, type JsonText } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Conversation, Question, ServerAnswer } from './conversation.ts';
import { stdioEnvironment } from './stdio-environment.ts';
import { beginning } from './testing/conversation.ts';
import { begin, call, closeServers, collectLog, contentOf, isRunning, server } from './testing/stdio.ts';

const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, 15_000);

afterEach(closeServers);

/** Why a request failed, or that it did not. */
const fateOf = (answer: Promise<ServerAnswer>): Promise<string> =>
  answer.then(
    ({ kind }) => kind,
    (error: unknown) => (error instanceof GatewayError ? error.reason : String(error)),
  );

const pidOf = async (conversation: Conversation): Promise<number> => contentOf(await call(conversation, 'pid'));

/** Resolves when a server has got a request; until then it may not have left. */
async function sent(conversation: Conversation, name: string): Promise<{ readonly answer: Promise<ServerAnswer> }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const answer = call(conversation, name, { onStart: resolve });
  answer.catch(() => undefined);
  await promise;
  return { answer };
}

describe('what a stdio server speaks', () => {
  it('is found out: the legacy era', async () => {
    const raw = server();
    expect(await raw.begin('modern', beginning())).toBeUndefined();
    expect(raw.alive).toBe(true);
    const made = await begin(raw, 'legacy', { capabilitiesText: '{"roots":{}}' as JsonText });
    expect(made).toMatchObject({ era: 'legacy', version: '2025-11-25', server: { info: { name: 'raw' } } });
    const seen = contentOf<{ method: string }[]>(await call(made, 'seen')).map(({ method }) => method);
    expect(seen).toEqual(['server/discover', 'initialize', 'notifications/initialized', 'tools/call']);
  });

  it('does not depend on who came first: a shared one is told the same of all, others what their caller can be asked', async () => {
    const told = async (isolation: 'shared' | 'caller'): Promise<unknown> => {
      const made = await begin(server({ isolation }), 'legacy', { capabilitiesText: '{"roots":{}}' as JsonText });
      const seen = contentOf<{ method: string; params: JsonObject }[]>(await call(made, 'seen'));
      return seen.find(({ method }) => method === 'initialize')?.params.capabilities;
    };
    expect(await told('caller')).toEqual({ roots: {} });
    expect(await told('shared')).toEqual({ elicitation: { form: {}, url: {} }, sampling: { context: {}, tools: {} } });
  });

  it('is found out: the modern era, which has no handshake', async () => {
    const raw = server({ modes: ['modern', 'both'] });
    expect(await raw.begin('legacy', beginning())).toBeUndefined();
    const made = await begin(raw, 'modern');
    expect(made).toMatchObject({
      era: 'modern',
      version: '2026-07-28',
      server: { info: { name: 'raw', version: '2' } },
    });
    const seen = contentOf<{ method: string }[]>(await call(made, 'seen')).map(({ method }) => method);
    expect(seen).toEqual(['server/discover', 'tools/call']);
  });

  it('is found out of a server that is slow to start', async () => {
    for (const era of ['legacy', 'modern'] as const) {
      const made = await begin(server({ modes: ['slow', era] }), era);
      expect(made.era).toBe(era);
    }
  });

  it('is found out of a server that does not answer what it does not know', async () => {
    const made = await begin(server({ modes: ['mute'], bounds: { probeMs: 100 } }), 'legacy');
    expect(made.era).toBe('legacy');
    // The question that it did not answer is not held against it.
    const onQuestion = (question: Question): void => question.answer('{"action":"accept"}' as JsonText);
    expect(contentOf(await call(made, 'ask', { onQuestion }))).toMatchObject({ result: { action: 'accept' } });
  });

  it('is found out of a modern server that answered only after it was taken for a legacy one', async () => {
    const made = await begin(server({ modes: ['slow', 'modern'], bounds: { probeMs: 100 } }), 'modern');
    expect(made.era).toBe('modern');
  });

  it('is found out of a server that ends when it is asked before the handshake, and it is not asked again', async () => {
    const { log, lines } = collectLog();
    const raw = server({ modes: ['die-at-probe'], log });
    const made = await begin(raw, 'legacy');
    const seen = contentOf<{ method: string }[]>(await call(made, 'seen')).map(({ method }) => method);
    expect(seen).toEqual(['initialize', 'notifications/initialized', 'tools/call']);
    await made.close();
    await begin(raw, 'legacy');
    expect(lines.filter(({ msg }) => msg === 'the server was started')).toHaveLength(3);
  });

  it('is the caller’s era where each caller has a process', async () => {
    const raw = server({ modes: ['modern', 'both'], isolation: 'caller' });
    const [old, modern] = await Promise.all([begin(raw, 'legacy'), begin(raw, 'modern')]);
    expect([old.era, modern.era]).toEqual(['legacy', 'modern']);
    expect(await pidOf(old)).not.toBe(await pidOf(modern));
  });

  it('is nothing at all of a program that is no server', async () => {
    const mute = server({ command: ['tail', '-f', '/dev/null'], startMs: 300 });
    await expect(mute.begin('legacy', beginning())).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    const echo = server({ command: ['cat'] });
    expect(await echo.begin('legacy', beginning())).toBeUndefined();
    expect([mute.alive, echo.alive]).toEqual([false, false]);
  });
});

describe('the process of a stdio server', () => {
  it('gets no more of our environment than it needs, and what the configuration says', async () => {
    const own = { PATH: process.env.PATH, HOME: '/h', SALLYPORT_TOKEN: 'secret-token', AWS_SECRET_ACCESS_KEY: 'x' };
    const made = await begin(server({ env: stdioEnvironment(own, { LEVEL: '3', HOME: '/other' }) }), 'legacy');
    const env = contentOf<Record<string, string>>(await call(made, 'env'));
    // The system itself may add to it.
    delete env.__CF_USER_TEXT_ENCODING;
    expect(env).toEqual({ PATH: process.env.PATH, HOME: '/other', LEVEL: '3' });
  });

  it('is not given to a shell', async () => {
    const raw = server({ command: ['echo $HOME; cat'] });
    await expect(raw.begin('legacy', beginning())).rejects.toMatchObject({ reason: 'upstream_unavailable' });
  });

  it('ends with its last conversation, and with all it started', async () => {
    const raw = server();
    const [one, other] = await Promise.all([begin(raw, 'legacy'), begin(raw, 'legacy')]);
    const pid = await pidOf(one);
    const child = contentOf<number>(await call(one, 'offspring'));
    await one.close();
    expect(await pidOf(other)).toBe(pid);
    await other.close();
    expect(raw.alive).toBe(false);
    expect([isRunning(pid), await eventually(() => !isRunning(child) || Promise.reject(new Error('runs')))]).toEqual([
      false,
      true,
    ]);
  });

  it('is killed when it takes no notice', async () => {
    const made = await begin(server({ modes: ['stubborn'] }), 'legacy');
    const pid = await pidOf(made);
    await made.close();
    expect(isRunning(pid)).toBe(false);
  });

  it('is over when it has ended, though something it started holds on to its output', async () => {
    const made = await begin(server(), 'legacy');
    const runaway = contentOf<number>(await call(made, 'runaway'));
    try {
      const { promise, resolve } = Promise.withResolvers<void>();
      made.onLost(resolve);
      expect(await fateOf(call(made, 'crash'))).toBe('upstream_failed');
      await promise;
    } finally {
      process.kill(runaway, 'SIGKILL');
    }
  });

  it('may write whatever it likes: what is no message is left out', async () => {
    const { log, lines } = collectLog();
    const made = await begin(server({ log }), 'legacy');
    expect(contentOf(await call(made, 'garbage'))).toBe('ok');
    expect(lines.filter(({ level }) => level === 40).length).toBeGreaterThanOrEqual(3);
  });

  it('may write lines that are too long: only the request that one answers fails', async () => {
    const made = await begin(server({ bounds: { maxLineBytes: 100_000 } }), 'legacy');
    const { answer: held } = await sent(made, 'hold');
    expect(contentOf(await call(made, 'endless'))).toBe('ok');
    expect(await fateOf(call(made, 'huge', { arguments: { size: 150_000 } }))).toBe('upstream_failed');
    await call(made, 'release');
    expect(contentOf(await held)).toBe('released');
  });

  it('may write much to its error output: some of it is logged, without what it was given to keep', async () => {
    const { log, lines } = collectLog();
    const env = stdioEnvironment(process.env, { SECRET: 'hunter2-hunter2' });
    const made = await begin(server({ log, env, secrets: ['hunter2-hunter2'] }), 'legacy');
    await call(made, 'flood');
    await made.close();
    const written = lines.filter(({ line }) => typeof line === 'string');
    expect(written[0]).toMatchObject({ service: 'raw', line: 'line 0 of [hidden]' });
    expect(written.length).toBeLessThan(1_000);
    expect(lines.reduce((sum, { lines: count }) => sum + Number(count ?? 0), written.length)).toBe(5_000);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('may stop reading: what waits for it is bounded, can be given up, and was never sent', async () => {
    const raw = server({ bounds: { maxWaitingMessages: 3, maxWaitingLength: 1_000_000 } });
    const made = await begin(raw, 'legacy');
    await call(made, 'stop-reading');
    const large = 'x'.repeat(200_000);
    const ended = new AbortController();
    const starts: number[] = [];
    const answers = Array.from({ length: 8 }, (_, at) =>
      fateOf(call(made, 'echo', { arguments: { large }, signal: ended.signal, onStart: () => void starts.push(at) })),
    );
    ended.abort(new GatewayError('cancelled'));
    const fates = await Promise.all(answers);
    expect(fates.filter((fate) => fate === 'upstream_unavailable').length).toBe(8 - 3 - starts.length);
    expect(fates.filter((fate) => fate === 'cancelled').length).toBe(3 + starts.length);
    expect(starts.length).toBeLessThanOrEqual(2);
  });
});

describe('a stdio server that dies', () => {
  it('fails what was sent and refuses what comes, tells that it is lost, and starts again', async () => {
    const raw = server();
    const made = await begin(raw, 'legacy');
    const pid = await pidOf(made);
    const lost = vi.fn();
    made.onLost(lost);
    const { answer: waiting } = await sent(made, 'silent');
    expect(await fateOf(call(made, 'crash'))).toBe('upstream_failed');
    expect(await fateOf(waiting)).toBe('upstream_failed');
    await eventually(() => expect(lost).toHaveBeenCalledOnce());
    expect([raw.alive, await fateOf(call(made, 'pid'))]).toEqual([false, 'upstream_unavailable']);
    const again = await begin(raw, 'legacy');
    expect(await pidOf(again)).not.toBe(pid);
    expect(raw.alive).toBe(true);
  });

  it('is not started again in a storm: whoever wants it waits, ever longer', async () => {
    const { log, lines } = collectLog();
    const raw = server({ modes: ['die-at-start'], log, random: () => 0 });
    const wanting = Array.from({ length: 50 }, () => raw.begin('legacy', beginning()).catch(() => undefined));
    await Promise.all(wanting);
    const starts = () => lines.filter(({ msg }) => msg === 'the server was started').length;
    // It may have been the first question that it did not survive.
    expect(starts()).toBe(2);
    await raw.begin('legacy', beginning()).catch(() => undefined);
    const impatient = raw.begin('legacy', beginning({ signal: AbortSignal.timeout(1) }));
    await expect(impatient).rejects.toThrow();
    expect(starts()).toBeLessThanOrEqual(6);
  });

  it('that cannot even be started is unavailable', async () => {
    for (const command of [['/no/such/program'], ['/'], ['a\0b']]) {
      const raw = server({ command });
      await expect(raw.begin('modern', beginning())).rejects.toMatchObject({ reason: 'upstream_unavailable' });
    }
    const lost = server({ cwd: '/no/such/folder' });
    await expect(lost.begin('modern', beginning())).rejects.toMatchObject({ reason: 'upstream_unavailable' });
  });

  it('is not waited for by those who have gone, but is ready for those who come', async () => {
    const raw = server({ modes: ['slow'] });
    const ended = new AbortController();
    const first = raw.begin('legacy', beginning({ signal: ended.signal }));
    ended.abort(new GatewayError('cancelled'));
    await expect(first).rejects.toMatchObject({ reason: 'cancelled' });
    expect((await begin(raw, 'legacy')).era).toBe('legacy');
  });

  it('says so to nobody when it was ended on purpose', async () => {
    const { log, lines } = collectLog();
    const raw = server({ log });
    const made = await begin(raw, 'legacy');
    const lost = vi.fn();
    made.onLost(lost);
    await made.close();
    expect(lost).not.toHaveBeenCalled();
    expect(lines.some(({ level }) => Number(level) >= 50)).toBe(false);
    await raw.close();
    await expect(raw.begin('legacy', beginning())).rejects.toMatchObject({ reason: 'upstream_unavailable' });
  });
});

describe('the end of a conversation', () => {
  it('waits for what is in flight, refuses what comes, and gives up what does not end', async () => {
    const raw = server({ drainMs: 400 });
    const keeper = await begin(raw, 'legacy');
    const made = await begin(raw, 'legacy');
    const { answer: held } = await sent(made, 'hold');
    const { answer: silent } = await sent(made, 'silent');
    const closing = made.close();
    expect(await fateOf(call(made, 'pid'))).toBe('upstream_unavailable');
    await call(keeper, 'release');
    expect(contentOf(await held)).toBe('released');
    expect(await fateOf(silent)).toBe('upstream_failed');
    await closing;
    expect(await pidOf(keeper)).toBeGreaterThan(0);
  });

  it('ends subscriptions at once', async () => {
    const raw = server({ modes: ['modern'] });
    const keeper = await begin(raw, 'modern');
    const made = await begin(raw, 'modern');
    const heard: string[] = [];
    const listening = made.request({
      method: 'subscriptions/listen',
      paramsText: '{"notifications":{}}' as JsonText,
      credential: { kind: 'none' },
      signal: new AbortController().signal,
      onNotification: (method) => void heard.push(method),
    });
    listening.catch(() => undefined);
    await eventually(() => expect(heard).toHaveLength(2));
    await made.close();
    expect(await fateOf(listening)).toBe('upstream_failed');
    const seen = contentOf<{ method: string }[]>(await call(keeper, 'seen')).map(({ method }) => method);
    expect(seen).toContain('notifications/cancelled');
  });
});

describe('a process for each caller', () => {
  it('keeps what callers do apart, and ends with its conversation', async () => {
    const raw = server({ isolation: 'caller' });
    const [one, other] = await Promise.all([begin(raw, 'legacy'), begin(raw, 'legacy')]);
    const [pid, otherPid] = await Promise.all([pidOf(one), pidOf(other)]);
    expect(pid).not.toBe(otherPid);
    expect(await fateOf(call(one, 'crash'))).toBe('upstream_failed');
    expect(await pidOf(other)).toBe(otherPid);
    await other.close();
    expect(isRunning(otherPid)).toBe(false);
    // Nobody waits because another one has crashed.
    expect(await pidOf(await begin(raw, 'legacy'))).toBeGreaterThan(0);
  });

  it('may be asked in several calls at once', async () => {
    const made = await begin(server({ isolation: 'caller' }), 'legacy');
    const questions: Question[] = [];
    const onQuestion = (question: Question): void => void questions.push(question);
    const answers = [call(made, 'ask', { onQuestion }), call(made, 'ask', { onQuestion })];
    await eventually(() => expect(questions).toHaveLength(2));
    for (const question of questions) question.answer('{"action":"accept"}' as JsonText);
    for (const answer of await Promise.all(answers)) {
      expect(contentOf(answer)).toMatchObject({ result: { action: 'accept' } });
    }
  });

  it('is one of so many and no more', async () => {
    const raw = server({ isolation: 'caller', maxProcesses: 2 });
    const made = await Promise.all([begin(raw, 'legacy'), begin(raw, 'legacy')]);
    const ended = new AbortController();
    const impatient = raw.begin('legacy', beginning({ signal: ended.signal }));
    const patient = begin(raw, 'legacy');
    ended.abort(new GatewayError('cancelled'));
    await expect(impatient).rejects.toMatchObject({ reason: 'cancelled' });
    const pid = await pidOf(made[0] as Conversation);
    await made[0]?.close();
    expect(await pidOf(await patient)).not.toBe(pid);
  });

  it('that was started to find out the era is not wasted', async () => {
    const { log, lines } = collectLog();
    const raw = server({ isolation: 'caller', maxProcesses: 1, log });
    expect(await raw.begin('modern', beginning())).toBeUndefined();
    expect((await begin(raw, 'legacy')).era).toBe('legacy');
    expect(lines.filter(({ msg }) => msg === 'the server was started')).toHaveLength(1);
  });

  it('ends when it is not used, and says so', async () => {
    const raw = server({ isolation: 'caller', idleMs: 200 });
    const made = await begin(raw, 'legacy');
    const lost = vi.fn();
    made.onLost(lost);
    const pid = await pidOf(made);
    await eventually(() => expect(isRunning(pid)).toBe(false));
    expect(lost).toHaveBeenCalledOnce();
    expect(await fateOf(call(made, 'pid'))).toBe('upstream_unavailable');
  });
});
