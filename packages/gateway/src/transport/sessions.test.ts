import { everything, type JsonText } from '@sallyport/core';
import { fakePrincipal } from '@sallyport/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import type { SessionLimits } from './session-table.ts';
import { createSessions, type HttpSession, type Sessions } from './sessions.ts';

const introduction = { version: '2025-11-25', capabilitiesText: '{}' as JsonText };
const open: Sessions[] = [];
afterEach(() => {
  for (const sessions of open.splice(0)) sessions.close();
});

function table(limits: Partial<SessionLimits> = {}) {
  const clock = { now: 0 };
  const all = { max: 100, perPrincipal: 100, idleMs: 60_000, ...limits };
  const sessions = createSessions({ limits: all, nowMs: () => clock.now });
  open.push(sessions);
  const openFor = (subject: string) =>
    sessions.open({ introduction, principal: fakePrincipal({ subject }), endpoint: everything });
  const must = (subject: string) => openFor(subject) as HttpSession;
  const isOpen = ({ id }: HttpSession) => sessions.find(id, everything) !== undefined;
  return { sessions, clock, openFor, must, isOpen };
}

describe('a session', () => {
  it('has an id and a conversation that nobody can guess, in visible ASCII', () => {
    const { must } = table();
    const sessions = Array.from({ length: 50 }, () => must('ada'));
    const names = sessions.flatMap(({ id, conversation }) => [id, conversation]);
    expect(new Set(names).size).toBe(100);
    for (const { id, conversation } of sessions) {
      expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/);
      expect(conversation).toMatch(/^[A-Za-z0-9_-]{22}$/);
    }
  });

  it('admits whoever opened it and nobody else, whatever credential of theirs it was', () => {
    const session = table().must('ada');
    expect(session.admits(fakePrincipal({ subject: 'ada', credentialId: 'renewed' }))).toBe(true);
    expect(session.admits(fakePrincipal({ subject: 'eve' }))).toBe(false);
    expect(session.admits(fakePrincipal({ subject: 'ada', client: 'another' }))).toBe(false);
    expect(session.admits(fakePrincipal({ subject: 'ada', actor: { subject: 'eve' } }))).toBe(false);
  });

  it('is found at the endpoint it was opened at only', () => {
    const { sessions } = table();
    const endpoint = { kind: 'mount', service: 'blog' } as const;
    const { id } = sessions.open({ introduction, principal: fakePrincipal(), endpoint }) as HttpSession;
    expect(sessions.find(id, { kind: 'mount', service: 'blog' })?.id).toBe(id);
    for (const other of [everything, { kind: 'mount', service: 'blo' }, { kind: 'view', name: 'blog' }] as const) {
      expect(sessions.find(id, other)).toBeUndefined();
    }
  });

  it('ends after it was idle for long enough, and never while it is used', () => {
    const { clock, must, isOpen } = table({ idleMs: 100 });
    const [idle, used, touched] = [must('ada'), must('ada'), must('ada')];
    const release = used.use();
    clock.now = 90;
    touched.admits(fakePrincipal({ subject: 'ada' }));
    clock.now = 110;
    expect([idle, used, touched].map(isOpen)).toEqual([false, true, true]);
    release();
    clock.now = 200;
    expect([used, touched].map(isOpen)).toEqual([true, false]);
    clock.now = 211;
    expect(isOpen(used)).toBe(false);
  });

  it('tells who waits for its end, and what it was doing', () => {
    const session = table().must('ada');
    const heard: string[] = [];
    session.onEnd(() => heard.push('first'));
    const cancelled = session.requests.begin(7);
    session.end();
    session.end();
    session.onEnd(() => heard.push('late'));
    expect(heard).toEqual(['first', 'late']);
    expect(cancelled?.signal.aborted).toBe(true);
  });

  it('keeps no more of its client than is reasonable', () => {
    const { sessions } = table();
    const capabilitiesText = JSON.stringify({ experimental: 'x'.repeat(17_000) }) as JsonText;
    const opening = { introduction: { ...introduction, capabilitiesText }, principal: fakePrincipal() };
    expect(sessions.open({ ...opening, endpoint: everything })).toMatchObject({ reason: 'malformed_params' });
  });
});

describe('too many sessions', () => {
  it('of one principal: the one that was used longest ago goes, of that principal only', () => {
    const { must, isOpen } = table({ perPrincipal: 3 });
    const other = must('eve');
    const [one, two, three] = [must('ada'), must('ada'), must('ada')];
    one.admits(fakePrincipal({ subject: 'ada' }));
    const four = must('ada');
    expect([one, two, three, four, other].map(isOpen)).toEqual([true, false, true, true, true]);
  });

  it('of one principal, all in use: there is no more', () => {
    const { must, openFor } = table({ perPrincipal: 2 });
    const releases = [must('ada').use(), must('ada').use()];
    expect(openFor('ada')).toMatchObject({ reason: 'sessions_exhausted' });
    releases[0]?.();
    expect(openFor('ada')).toHaveProperty('id');
  });

  it('in all: whoever has the most gives way', () => {
    const { must, isOpen } = table({ max: 5 });
    const lone = must('ada');
    const many = Array.from({ length: 4 }, () => must('eve'));
    const next = must('bob');
    expect([lone, ...many, next].map(isOpen)).toEqual([true, false, true, true, true, true]);
  });

  it('as a flood of one principal push out nobody else', () => {
    const { must, isOpen } = table({ max: 50, perPrincipal: 20 });
    const others = Array.from({ length: 20 }, (_, at) => must(`user-${at}`));
    for (let at = 0; at < 1_000; at++) must('eve');
    expect(others.every(isOpen)).toBe(true);
  });
});

it('forgets a session that has ended, also when it was in use', () => {
  const { must, isOpen, openFor } = table({ perPrincipal: 1 });
  const session = must('ada');
  const release = session.use();
  session.end();
  release();
  expect(isOpen(session)).toBe(false);
  expect(openFor('ada')).toHaveProperty('id');
});

it('tells nothing any more to a session that has ended', () => {
  const session = table().must('ada');
  session.end();
  session.tell('{}');
  expect(session.streams.locate('0-1')).toBeUndefined();
});
