import { compilePattern, GatewayError, type Principal } from '@sallyport/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scopeCovers } from '../entitlement/scopes.ts';
import type { IntentDetails } from './manifest.ts';
import { type Narrowed, narrow } from './narrow.ts';
import type { Source } from './source.ts';

const nowMs = 1_800_000_000_000;
const subject: Principal = {
  ...{ subject: 'dana', client: 'token:app', kind: 'person', attributes: {}, method: 'api-token', credentialId: 't1' },
  scopes: ['posts:*', 'users:read', 'admin:read'],
};
const fresh: Source = {
  ...{ tokenIds: ['t1'], vouchers: [], binding: undefined, resource: undefined, parent: undefined },
  expiresAtMs: nowMs + 3_600_000,
};
const messageDigest = 'd'.repeat(43);

interface Asking {
  readonly details?: Partial<IntentDetails>;
  readonly scope?: string;
  readonly who?: Principal;
  readonly source?: Source;
}

function make({ details = {}, scope, who = subject, source = fresh }: Asking): Narrowed {
  const wanted: IntentDetails = { type: 'intent', message_digest: messageDigest, tools: ['posts.*'], ...details };
  return narrow({
    ...{ id: 'a'.repeat(16), subject: who, actor: undefined, source, covers: scopeCovers, nowMs },
    asked: { authorization_details: [wanted], ...(scope !== undefined && { scope }) },
    limits: { maxLifeMs: 900_000, maxCalls: 100 },
  });
}

/** What becomes of an intent that is exchanged once more. */
function sourceOf({ intent, holder, ...rest }: Narrowed, callsLeft: number): Source {
  const stored = { ...rest, intent, holder, secretHash: '', createdBy: '', credentialId: '', tokens: [] };
  return { ...fresh, expiresAtMs: intent.expiresAtMs, parent: { stored, callsLeft } };
}

/** Nothing, where it was refused. */
function attempt(asking: Asking): Narrowed | undefined {
  try {
    return make(asking);
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    return undefined;
  }
}

const piece = fc.constantFrom('a', 'b', '*', '.');
const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));
const name = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 6 }).map((pieces) => pieces.join(''));
const scopes = fc.array(
  fc.constantFrom('posts:read', 'posts:*', 'users:read', 'users:*', '*', 'admin:read', 'admin:*'),
);

describe('the purpose of an intent', () => {
  const wider = (asking: Asking) => attempt(asking) === undefined;

  it('is what was said, and that of what it is made from', () => {
    expect(make({}).intent.purpose).toBeUndefined();
    const first = make({ details: { purpose: 'refund', calls: 9 } });
    expect(first.intent.purpose).toBe('refund');
    const source = sourceOf(first, 9);
    expect(make({ source }).intent.purpose).toBe('refund');
    expect(make({ source, details: { purpose: 'refund' } }).intent.purpose).toBe('refund');
    expect(wider({ source, details: { purpose: 'audit' } })).toBe(true);
    expect(wider({ source: sourceOf(make({ details: { calls: 9 } }), 9), details: { purpose: 'refund' } })).toBe(true);
  });
});

describe('what an intent is made of', () => {
  it('without a word is one call, as long as may be, with all scopes but those of administration', () => {
    const { intent, holder } = make({});
    expect(intent.allows).toEqual([{ intent: intent.id, tools: ['posts.*'], bounds: [], calls: 1 }]);
    expect(intent.expiresAtMs).toBe(nowMs + 900_000);
    expect(holder.scopes).toEqual(['posts:*', 'users:read']);
  });

  it('ends with its token, and is refused for one that has ended', () => {
    const source = { ...fresh, expiresAtMs: nowMs + 5_000 };
    expect(make({ source }).intent.expiresAtMs).toBe(nowMs + 5_000);
    expect(() => make({ source: { ...fresh, expiresAtMs: nowMs } })).toThrow('expired');
    expect(() => make({ source: { ...fresh, expiresAtMs: Number.NaN } })).toThrow('expired');
  });

  it('holds the allowances of all it was made from', () => {
    const parent = make({ details: { calls: 5 } });
    const child = make({ details: { tools: ['posts.Get'], calls: 2 }, source: sourceOf(parent, 5) });
    expect(child.intent.allows.map(({ tools }) => tools)).toEqual([['posts.Get'], ['posts.*']]);
  });
});

describe('is never wider', () => {
  it('than the tools of what it is made from, whatever the patterns', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), pattern, name, (tools, wanted, called) => {
        const child = attempt({ details: { tools: [wanted] }, source: sourceOf(make({ details: { tools } }), 1) });
        if (child === undefined || !compilePattern(wanted)(called)) return;
        expect(tools.some((one) => compilePattern(one)(called))).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it('than the scopes of its token, whatever is asked for', () => {
    fc.assert(
      fc.property(
        scopes,
        scopes,
        fc.constantFrom('posts:read', 'users:write', 'x', 'admin:read'),
        (held, asked, needed) => {
          const made = attempt({ who: { ...subject, scopes: held }, scope: asked.join(' ') });
          if (made === undefined) return;
          const may = (all: readonly string[]): boolean => all.some((scope) => scopeCovers(scope, needed));
          if (may(made.holder.scopes)) expect(may(held) && !needed.startsWith('admin')).toBe(true);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('in calls and in time', () => {
    const number = fc.integer({ min: 1, max: 120 });
    fc.assert(
      fc.property(number, number, fc.integer({ min: 1, max: 1_000 }), (left, calls, seconds) => {
        const source = sourceOf(make({ details: { calls: 100, expires_in: 600 } }), left);
        const child = attempt({ details: { calls, expires_in: seconds }, source });
        expect(child !== undefined).toBe(calls <= Math.min(left, 100) && seconds <= 600);
      }),
    );
  });
});
