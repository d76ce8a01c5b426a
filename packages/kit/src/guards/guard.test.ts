// biome-ignore-all lint/suspicious/noExplicitAny: tests look into what they receive without declaring it
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { IncomingCall } from '../call-context.ts';
import { CallError, service } from '../index.ts';
import type { Principal } from '../tool-options.ts';
import { type Guarded, guardOf } from './guard.ts';
import { limitGuard } from './limit.ts';

const log = pino({ level: 'silent' });
const statement = { by: 'hop' } as IncomingCall['statement'];

function call(principal: Partial<Principal>, more: Partial<IncomingCall> = {}): IncomingCall {
  const whole = { subject: 'ada', client: 'c', kind: 'agent', scopes: [], attributes: {}, ...principal } as const;
  const rest = { tool: 'A.B', id: 'c', traceparent: '', timeoutMs: 1, arguments: {}, callTool: () => null as any };
  return { ...rest, statement, principal: whole, ...more } as IncomingCall;
}

function reasonOf(guarded: Guarded, incoming: IncomingCall, environment?: string): unknown {
  const answer: any = guardOf('A.B', guarded, { nowMs: () => 0, environment }).guard?.(incoming);
  return answer?.error.data.reason;
}

describe('what guards a tool at its service', () => {
  it.each<[string, Guarded, IncomingCall, unknown]>([
    ['a scope that is there', { scopes: ['a:x'] }, call({ scopes: ['a:*'] }), undefined],
    ['a scope that is not', { scopes: ['a:x'] }, call({ scopes: ['a:y'] }), 'scope_missing'],
    ['what the operator asks instead', { scopes: ['a:x'] }, call({ scopes: ['b'] }, { needs: ['b'] }), undefined],
    [
      'what the operator asks beyond',
      { scopes: ['a:x'] },
      call({ scopes: ['a:x'] }, { needs: ['b'] }),
      'scope_missing',
    ],
    ['an agent at an internal tool', { internal: true }, call({}), 'forbidden'],
    ['a service at an internal tool', { internal: true }, call({ kind: 'service' }), undefined],
    ['an internal tool that the operator opened', { internal: true }, call({}, { needs: [] }), undefined],
    ['the wrong kind of caller', { policy: { callers: ['person'] } }, call({}), 'forbidden'],
    ['no intent where one is needed', { policy: { intent: 'required' } }, call({}), 'forbidden'],
  ])('%s', (_, guarded, incoming, reason) => {
    expect(reasonOf(guarded, incoming)).toBe(reason);
  });

  it.each([
    [{ amount: 500 }, undefined],
    [{ amount: 501 }, 'forbidden'],
    [{ amount: -1 }, 'forbidden'],
    [{ amount: '5' }, 'forbidden'],
    [{}, 'forbidden'],
    [{ amount: 5, to: { iban: 'DE' } }, undefined],
    [{ amount: 5, to: { iban: 'XX' } }, 'forbidden'],
    [{ amount: 5, note: 'short' }, undefined],
    [{ amount: 5, note: 'much too long' }, 'forbidden'],
    [JSON.parse('{"__proto__":{"amount":5}}'), 'forbidden'],
  ])('holds arguments to their bounds: %j', (args, reason) => {
    const bounds = {
      '/amount': { minimum: 0, maximum: 500 },
      '/to/iban': { enum: ['DE', 'AT'], optional: true },
      '/note': { maxLength: 5, optional: true },
    };
    expect(reasonOf({ policy: { bounds } }, call({}, { arguments: args }))).toBe(reason);
  });

  it('lets nothing run where the environment is another one, or none', () => {
    const policy = { environments: ['staging'] };
    expect(reasonOf({ policy }, call({}), 'staging')).toBeUndefined();
    expect(reasonOf({ policy }, call({}), 'production')).toBe('forbidden');
    expect(reasonOf({ policy }, call({}))).toBe('forbidden');
  });

  it('asks nothing about callers for whom nobody vouches, and still looks at what they send', () => {
    const guarded: Guarded = { scopes: ['a:x'], internal: true, policy: { bounds: { '/n': { maximum: 1 } } } };
    expect(reasonOf(guarded, { ...call({}, { arguments: { n: 1 } }), statement: undefined as any })).toBeUndefined();
    expect(reasonOf(guarded, { ...call({}, { arguments: { n: 2 } }), statement: undefined as any })).toBe('forbidden');
  });

  it('names the tool whose policy is not right', () => {
    const rules = { nowMs: () => 0, environment: undefined };
    expect(() => guardOf('A.B', { policy: { bounds: { amount: { maximum: 1 } } } }, rules)).toThrow(/^A\.B: .*amount/);
    expect(() => guardOf('A.B', { limit: { rate: 0 } }, rules)).toThrow(/^A\.B: limit\.rate/);
  });
});

describe('the limit of a service', () => {
  it('gives each caller its burst, and then one call for each gap', () => {
    let now = 0;
    const guard = limitGuard({ rate: 2, burst: 3 }, () => now);
    const take = (subject: string) => (guard(call({ subject })) as any)?.error.data;
    expect([take('ada'), take('ada'), take('ada')]).toEqual([undefined, undefined, undefined]);
    expect(take('ada')).toEqual({ reason: 'limited', retryAfterMs: 500 });
    expect(take('bob')).toBeUndefined();
    now = 500;
    expect(take('ada')).toBeUndefined();
    expect(take('ada')).toBeDefined();
  });

  it('does not grow with the number of callers, who then share one allowance', () => {
    const guard = limitGuard({ rate: 1 }, () => 0);
    for (let i = 0; i < 10_000; i++) expect(guard(call({ subject: `s${i}` }))).toBeUndefined();
    expect(guard(call({ subject: 'one more' }))).toBeUndefined();
    expect(guard(call({ subject: 'and one more' }))).toBeDefined();
  });

  it('holds for all tools of a service, beside that of a tool', async () => {
    const shop = service('shop', { version: '1.0.0', log, limit: { rate: 0.001, burst: 2, per: 'all' } });
    const input = { jsonSchema: { type: 'object' } };
    shop.tool('A.B', { description: 'b', input, limit: { rate: 0.001 } }, () => 1);
    shop.tool('A.C', { description: 'c', input, policy: { bounds: { '/n': { maximum: 1 } } } }, () => 1);
    expect(JSON.stringify(await shop.manifest())).not.toMatch(/limit|policy/);
    expect(await shop.invoke('A.B', {})).toBe(1);
    const refused: any = await shop.invoke('A.B', {}).catch((error) => error);
    expect(refused).toBeInstanceOf(CallError);
    expect(refused).toMatchObject({ reason: 'limited' });
    expect(await shop.invoke('A.C', { n: 1 }).catch(({ reason }) => reason)).toBe('limited');
  });
});
