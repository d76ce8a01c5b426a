import {
  type AccessRequest,
  accessResource,
  accessSubject,
  createPipeline,
  type Decision,
  type Obligation,
} from '@sallyport/core';
import { fakeCall, fakePrincipal, fakeStages, fakeTool } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultSecondFactor, hasSecondFactor, holdToObligations } from './second-factor.ts';

const nowMs = 1_800_000_000_000;
const nowS = nowMs / 1_000;

function requestOf(attributes: object, action: AccessRequest['action'] = 'invoke'): AccessRequest {
  return {
    subject: { ...accessSubject(fakePrincipal()), attributes: attributes as never },
    ...{ action, resource: accessResource(fakeTool()), context: { timeMs: nowMs, transport: 'http' } },
  };
}

const permitting = (...obligations: Obligation[]): Decision => ({
  ...{ effect: 'permit', policies: ['p'], revision: 'r', obligations },
});
const second: Obligation = { kind: 'second-factor', policy: 'careful', maxAgeMs: 900_000 };

describe('a permit that asks for a second factor', () => {
  it('is one only for a sign-in that was good enough and recent enough', () => {
    const decide = holdToObligations(() => permitting(second));
    const good = { amr: ['pwd', 'otp'], auth_time: nowS - 900 };
    expect(decide(requestOf(good))).toEqual(permitting(second));
    expect(decide(requestOf({ ...good, auth_time: nowS - 901 }))).toMatchObject({
      ...{ effect: 'deny', policies: ['careful'] },
      refusal: { reason: 'second_factor_required', details: { acrValues: defaultSecondFactor.acr, maxAgeMs: 900_000 } },
    });
    expect(decide(requestOf({}))).not.toHaveProperty('obligations');
  });

  it('names the shortest time where several ask, and shows in lists what it is for', () => {
    const decide = holdToObligations(() => permitting(second, { ...second, policy: 'other', maxAgeMs: 60_000 }));
    const old = { acr: 'phr', auth_time: nowS - 600 };
    expect(decide(requestOf(old))).toMatchObject({ policies: ['other'], refusal: { details: { maxAgeMs: 60_000 } } });
    expect(decide(requestOf({}, 'discover'))).toMatchObject({ effect: 'permit' });
  });

  it('takes nothing for a proof that is none', () => {
    const values = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string()), fc.constant(undefined));
    fc.assert(
      fc.property(values, values, values, (acr, amr, auth_time) => {
        const { acr: levels, amr: methods } = defaultSecondFactor;
        fc.pre(!levels.includes(String(acr)) && ![amr].flat().some((one) => methods.includes(String(one))));
        const request = requestOf({ acr, amr, auth_time });
        expect(hasSecondFactor(request, defaultSecondFactor)).toBe(false);
        expect(hasSecondFactor(request, defaultSecondFactor, Number.POSITIVE_INFINITY)).toBe(false);
      }),
    );
  });
});

describe('an obligation that nobody here sees to', () => {
  const dance = { kind: 'dance', policy: 'of tomorrow' } as unknown as Obligation;

  it('refuses, on record, and so do names that objects have anyway', () => {
    for (const kind of ['dance', 'constructor', '__proto__', 'toString']) {
      const unknown = { kind, policy: 'of tomorrow' } as unknown as Obligation;
      for (const action of ['invoke', 'discover'] as const) {
        expect(holdToObligations(() => permitting(unknown))(requestOf({}, action))).toMatchObject({
          ...{ effect: 'deny', policies: ['of tomorrow'], errors: ['of tomorrow'] },
          explanation: expect.stringContaining(kind),
        });
      }
    }
  });

  it('keeps the call from leaving', async () => {
    const authorize = holdToObligations(async () => permitting(dance));
    const { stages, dispatched, records } = fakeStages({ authorize });
    const outcome = await createPipeline(stages).invoke(fakeCall());
    expect(outcome).toMatchObject({ error: { reason: 'policy_denied', stage: 'authorize' } });
    expect(dispatched).toEqual([]);
    expect(records.at(-1)).toMatchObject({ policyErrors: ['of tomorrow'] });
  });
});
