import { type AccessRequest, accessResource, accessSubject, type PolicyEngine, type Verdict } from '@sallyport/core';
import { fakePrincipal, fakeTool } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { internalTools } from './internal-tools.ts';
import { createAuthorize } from './stage.ts';

const request: AccessRequest = {
  subject: accessSubject(fakePrincipal()),
  action: 'invoke',
  resource: accessResource(fakeTool()),
  context: { timeMs: 0, transport: 'http', arguments: {} },
};

const engine = (verdict: Verdict | Promise<Verdict>): PolicyEngine => ({ decide: () => verdict, revision: () => 'r' });

describe('the decision', () => {
  it('denies when any engine denies, permits otherwise, and names the policies that decided', async () => {
    const effect = fc.constantFrom('permit' as const, 'deny' as const, 'abstain' as const);
    await fc.assert(
      fc.asyncProperty(fc.array(effect), fc.boolean(), async (effects, later) => {
        const engines = effects.map((each, index) => {
          const verdict = { effect: each, policies: each === 'abstain' ? [] : [`p${index}`] };
          return engine(later ? Promise.resolve(verdict) : verdict);
        });
        const decision = await createAuthorize(engines)(request);
        const denied = effects.includes('deny');
        expect(decision.effect).toBe(denied ? 'deny' : 'permit');
        const deciding = effects.flatMap((each, index) => (each === (denied ? 'deny' : 'permit') ? [`p${index}`] : []));
        expect(decision.policies).toEqual(deciding);
      }),
    );
  });

  it('denies when an engine answers nonsense', async () => {
    expect(await createAuthorize([engine({ effect: 'allow', policies: [] } as never)])(request)).toMatchObject({
      effect: 'deny',
    });
  });

  it('throws when an engine throws, so that the pipeline refuses', () => {
    const broken: PolicyEngine = {
      decide: () => {
        throw new Error('broken');
      },
      revision: () => 'r',
    };
    expect(() => createAuthorize([broken])(request)).toThrow('broken');
  });

  it.each([
    ['agent', 'deny'],
    ['person', 'deny'],
    ['service', 'abstain'],
    ['owner', 'abstain'],
  ] as const)('an internal tool asked for by a %s: %s', (kind, effect) => {
    const subject = accessSubject(fakePrincipal({ kind, scopes: ['*'] }));
    const resource = accessResource(fakeTool({ internal: true }));
    expect(internalTools.decide({ ...request, subject, resource })).toMatchObject({ effect });
  });
});
