import type { Principal } from '@sallyport/core';
import { fakePrincipal, fakeTool, memoryContainments, wantedContainment } from '@sallyport/testkit';
import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { compileContained } from './contained.ts';
import { createLiveContainment } from './live.ts';

const log = pino({ level: 'silent' });
const kim = fakePrincipal({ subject: 'kim' });
const tool = fakeTool();

function setUp() {
  const clock = { nowMs: 5_000_000 };
  const store = memoryContainments();
  const live = createLiveContainment({ store, nowMs: () => clock.nowMs, log });
  return { clock, store, live };
}

describe('what is contained now', () => {
  it('is what the store has, from the refresh on, and is told of once for each change', async () => {
    const { store, live } = setUp();
    let told = 0;
    const stop = live.onChange(() => {
      told += 1;
    });
    const one = wantedContainment();
    await store.add(one);
    expect(live.contains(kim, tool)).toBe(false);
    await live.refresh();
    await live.refresh();
    expect([live.contains(kim, tool), live.containsCaller(kim), told]).toEqual([true, true, 1]);
    await store.lift(one.id, { by: 'dana', atMs: 5_000_000 });
    stop();
    await live.refresh();
    expect([live.contains(kim, tool), told]).toEqual([false, 1]);
  });

  it('ends to the millisecond, without a refresh', async () => {
    const { clock, store, live } = setUp();
    await store.add(wantedContainment({ expiresAtMs: 5_001_000 }));
    await live.refresh();
    clock.nowMs = 5_000_999;
    expect(live.contains(kim, tool)).toBe(true);
    clock.nowMs += 1;
    expect([live.contains(kim, tool), live.containsCaller(kim)]).toEqual([false, false]);
  });

  it('stays as it is where the store cannot be read, and what was read late does not undo what was read after it', async () => {
    const { store } = setUp();
    await store.add(wantedContainment());
    const reads: ((ids: number) => void)[] = [];
    const all = await store.standing(0);
    const slow = createLiveContainment({
      store: { standing: () => new Promise((resolve) => reads.push((count) => resolve(all.slice(0, count)))) },
      ...{ nowMs: () => 5_000_000, log },
    });
    const [first, second] = [slow.refresh(), slow.refresh()];
    reads[1]?.(1);
    await second;
    reads[0]?.(0);
    await first;
    expect(slow.contains(kim, tool)).toBe(true);
  });

  it.each([
    ['client', 'token:bot'],
    ['agent', 'bot'],
    ['agent-class', 'kind:agent'],
    ['class', 'read@kind:agent'],
  ] as const)('%s %s reaches what services do meanwhile for whom it is about', async (kind, value) => {
    const { store, live } = setUp();
    await store.add(wantedContainment({ kind, value }));
    await live.refresh();
    const servedBy = (serving: Principal): Principal =>
      fakePrincipal({ subject: serving.subject, kind: 'service', client: 'service:posts', serving });
    const bot = fakePrincipal({ subject: 'bot', client: 'token:bot', kind: 'agent' });
    const person = fakePrincipal({ subject: 'kim', client: 'browser', kind: 'person' });
    expect(live.contains(servedBy(servedBy(bot)), tool)).toBe(true);
    expect(live.contains(servedBy(servedBy(person)), tool)).toBe(false);
    expect(live.containsCaller(servedBy(bot))).toBe(kind !== 'class');
  });

  it('is everything where it cannot be understood', async () => {
    const { store, live } = setUp();
    await store.add(wantedContainment({ kind: 'class', value: 'of tomorrow' }));
    await live.refresh();
    expect(live.contains(fakePrincipal({ subject: 'anybody' }), tool)).toBe(true);
    // Who may be told nothing at all is another question: nothing is known of callers here.
    expect(live.containsCaller(kim)).toBe(false);
  });
});

describe('what containments are about', () => {
  it.each([
    ['principal', 'kim', { subject: 'kim', tenant: 'acme' }, true],
    ['account', 'acme/kim', { subject: 'kim', tenant: 'acme' }, true],
    ['account', 'acme/kim', { subject: 'kim', tenant: 'other' }, false],
    ['account', '/kim', { subject: 'kim' }, true],
    ['account', 'kim', { subject: 'kim' }, false],
    ['tenant', 'acme', { tenant: 'acme' }, true],
    ['tenant', 'acme', {}, false],
    ['client', 'app', { client: 'app' }, true],
    ['agent', 'bot', { subject: 'bot', kind: 'agent' }, true],
    ['agent', 'bot', { subject: 'bot', kind: 'person' }, false],
    ['agent', 'bot', { kind: 'person', actor: { subject: 'desk', actor: { subject: 'bot' } } }, true],
    ['agent', 'bot', { kind: 'person', actor: { subject: 'botany' } }, false],
    ['agent-class', 'kind:agent', { kind: 'person', actor: { subject: 'desk' } }, true],
    ['agent-class', 'kind:agent', { kind: 'person' }, false],
    ['agent-class', 'kind:agent', { kind: 'service', actor: { subject: 'service:posts' } }, false],
    ['agent-class', 'kind:service', { kind: 'service' }, true],
    ['agent-class', 'agent:support-*', { kind: 'person', actor: { subject: 'support-7' } }, true],
    ['agent-class', 'app:help*', { app: 'helpdesk' }, true],
    ['agent-class', 'app:help*', {}, false],
    ['agent-class', 'client:token:*', { client: 'token:ci' }, true],
    ['agent-class', 'tenant:acme', { tenant: 'acme' }, true],
  ] as const)('%s %s and %o: %s', (kind, value, who, isContained) => {
    const { caller, target } = compileContained({ kind, value });
    expect(target).toBeUndefined();
    expect(caller?.(fakePrincipal(who))).toBe(isContained);
  });

  it.each([
    ['tool', 'payments.*', { name: 'payments.Refund' }, true],
    ['tool', 'payments', { name: 'payments.Refund' }, false],
    ['upstream', 'payments', { name: 'payments.Refund' }, true],
    ['class', 'read@kind:agent', { sideEffect: 'read' }, true],
    ['class', 'risk:high@kind:agent', { risk: 'high' }, true],
    ['class', 'classification:restricted@kind:agent', { classification: 'public' }, false],
    ['class', 'upstream:payments@kind:agent', { name: 'payments.Refund' }, true],
    ['class', 'tool:*.Refund@agent:a@b', { name: 'payments.Refund' }, true],
  ] as const)('%s %s and %o: %s', (kind, value, what, isContained) => {
    expect(compileContained({ kind, value }).target?.(fakeTool(what))).toBe(isContained);
  });

  it('are not what nobody can be', () => {
    for (const value of ['', 'a\u202eb', 'x'.repeat(513)]) {
      expect(() => compileContained({ kind: 'principal', value })).toThrow('expected a name');
    }
    for (const value of ['destructive', '@', 'read@', '@kind:agent', 'read@kind:robot', 'delete@kind:agent']) {
      expect(() => compileContained({ kind: 'class', value })).toThrow('expected');
    }
  });

  it('contain no more than they say: an unnamed subject is never contained by the name of another', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (mine, theirs) => {
        fc.pre(mine !== theirs && !/[\p{C}\p{Zl}\p{Zp}]/u.test(theirs));
        const { caller } = compileContained({ kind: 'principal', value: theirs });
        expect(caller?.(fakePrincipal({ subject: mine }))).toBe(false);
      }),
    );
  });
});
