import { type Answer, GatewayError, type JsonText, type Outcome, type Suspended } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { comeBackText, createPatience, hold } from './waiting.ts';

const waiting: Suspended = { kind: 'suspended', question: 'apr_1', reason: 'Somebody has to agree.' };
const content: Answer = { text: '{}' as JsonText, isError: false, instance: 'i' };
const answered: Outcome<Answer> = { kind: 'answered', content };
const never = new AbortController().signal;
const atOnce = { settled: () => Promise.resolve() };

/** Ends as it is told, one after the other. */
function calls(...outcomes: readonly Outcome<Answer>[]) {
  const made: Outcome<Answer>[] = [];
  const again = async (): Promise<Outcome<Answer>> => {
    const outcome = outcomes[made.length] ?? waiting;
    made.push(outcome);
    return outcome;
  };
  return { made, again };
}

describe('a call that is kept', () => {
  it('is made again when it is time, until it does not wait any more', async () => {
    const { made, again } = calls({ ...waiting, ...atOnce }, answered);
    expect(await hold({ waiting: { ...waiting, ...atOnce }, again, ms: 60_000, signal: never })).toBe(answered);
    expect(made).toHaveLength(2);
  });

  it('is not made before it is time, nor after its caller is gone', async () => {
    const gone = new AbortController();
    const { made, again } = calls(answered);
    const settled = (signal: { addEventListener(type: 'abort', listener: () => void): void }): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', resolve));
    const kept = hold({ waiting: { ...waiting, settled }, again, ms: 60_000, signal: gone.signal });
    gone.abort();
    expect(await kept).toMatchObject({ kind: 'refused', error: { reason: 'cancelled' } });
    expect(made).toEqual([]);
  });

  it('is let go of when its time is over, or when somebody had enough', async () => {
    const { made, again } = calls();
    expect(await hold({ waiting, again, ms: 1, signal: never })).toBe(waiting);
    expect(await hold({ waiting, again, ms: 0, signal: never })).toBe(waiting);
    const enough = AbortSignal.abort();
    expect(await hold({ waiting, again, ms: 60_000, signal: never, enough })).toBe(waiting);
    expect(made).toEqual([]);
  });

  it('is not made over and over by an approver that always says that it is time', async () => {
    const { made, again } = calls();
    await hold({ waiting: { ...waiting, ...atOnce }, again, ms: 60, signal: never });
    expect(made.length).toBeLessThanOrEqual(1);
  });

  it('is let go of although who knows when it is time never says, whenever its time is over', async () => {
    const deaf = { ...waiting, settled: () => new Promise<void>(() => undefined) };
    const { made, again } = calls();
    expect(await hold({ waiting: deaf, again, ms: 1, signal: never })).toBe(deaf);
    // Over while it pauses between two looks.
    const { again: deafAgain } = calls(deaf);
    expect(await hold({ waiting: { ...waiting, ...atOnce }, again: deafAgain, ms: 20, signal: never })).toBe(deaf);
    expect(made).toEqual([]);
  });

  it('ends when nobody can tell any more when it is time', async () => {
    const { made, again } = calls();
    const settled = () => Promise.reject(new GatewayError('approval_unavailable'));
    expect(await hold({ waiting: { ...waiting, settled }, again, ms: 60_000, signal: never })).toMatchObject({
      ...{ kind: 'refused', error: { reason: 'approval_unavailable' } },
    });
    expect(made).toEqual([]);
  });
});

describe('who was told', () => {
  it('is remembered by what it was told of, and not for ever', () => {
    const { isTold } = createPatience(() => 1);
    expect([isTold('apr_1'), isTold('apr_1'), isTold('apr_2')]).toEqual([false, true, false]);
    for (let one = 0; one < 10_000; one++) isTold(`other-${one}`);
    expect(isTold('apr_1')).toBe(false);
  });

  it('hears what it waits for, until when, and what to do', () => {
    expect(comeBackText({ ...waiting, expiresAtMs: 0 })).toMatch(
      /^This call waits: Somebody has to agree\. \(apr_1, until 1970-01-01T00:00:00\.000Z\) Nothing has happened yet\. Make the same call again/,
    );
  });
});
