import { type AccessRequest, accessResource, accessSubject } from '@sallyport/core';
import { fakePrincipal, fakeTool } from '@sallyport/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRedecide, type RecordedDecision } from './replay.ts';
import { hasProblems, parsePolicies } from './source.ts';

const tool = fakeTool({
  name: 'payments.Refund',
  inputSchema: { type: 'object', properties: { amount: { type: 'integer' } }, required: ['amount'] },
});
const limit = (most: number) => `@id("most") forbid(principal, action == Action::"payments.Refund", resource)
  when { context.arguments.amount > ${most} };`;

const recorded = (
  amount: number,
  effect: 'permit' | 'deny',
  more: Partial<RecordedDecision> = {},
): RecordedDecision => {
  const request: AccessRequest = {
    subject: accessSubject(fakePrincipal()),
    action: 'invoke',
    resource: accessResource(tool),
    context: { method: 'tools/call', timeMs: 0, transport: 'http', arguments: { amount } },
  };
  return { callId: 'c', timeMs: 0, effect, policies: [], revision: 'cedar/0', request, ...more };
};

async function redecideBy(text: string) {
  const source = await parsePolicies([{ name: 'policies/a.cedar', text }]);
  if (hasProblems(source)) throw new Error(source.problems[0]?.message);
  const settings = { default: 'scopes', attributes: {} } as const;
  return createRedecide({ source, settings }, (name, hash) =>
    name === tool.name && hash === tool.definitionHash ? tool.inputSchema : undefined,
  );
}

let redecide: Awaited<ReturnType<typeof redecideBy>>;
beforeAll(async () => {
  redecide = await redecideBy(limit(500));
});

describe('a recorded decision, made again', () => {
  it('is the same where the policies say the same', () => {
    expect(redecide(recorded(500, 'permit'))).toMatchObject({ kind: 'same' });
    expect(redecide(recorded(501, 'deny'))).toMatchObject({ kind: 'same', policies: ['most'] });
  });

  it('says what would have been denied, and what allowed', () => {
    expect(redecide(recorded(501, 'permit'))).toMatchObject({ kind: 'denied', policies: ['most'] });
    expect(redecide(recorded(500, 'deny'))).toMatchObject({ kind: 'allowed' });
  });

  it('says why it cannot be made again', () => {
    const other = { ...recorded(1, 'permit').request, resource: { ...accessResource(tool), definitionHash: 'other' } };
    expect(redecide(recorded(1, 'permit', { request: other }))).toEqual({
      kind: 'not-redecidable',
      why: 'unknown-definition',
    });
    const external = { kind: 'not-redecidable', why: 'external' };
    expect(redecide(recorded(1, 'permit', { policies: ['external/pdp'] }))).toEqual(external);
    const revision = 'cedar/0 external/authzen/pdp';
    expect(redecide(recorded(1, 'deny', { revision }))).toEqual(external);
    expect(redecide(recorded(1, 'permit', { revision }))).toMatchObject({ kind: 'same' });
    expect(redecide(recorded(1, 'deny', { revision: 'cedar/0 external/none' }))).toMatchObject({ kind: 'allowed' });
  });
});
