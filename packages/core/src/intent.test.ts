import type { JsonValue } from '@sallyport/protocol';
import { describe, expect, it } from 'vitest';
import { type Intent, outOfBounds } from './intent.ts';

const intent: Intent = {
  ...{ id: 'i1', messageDigest: 'd', expiresAtMs: 1 },
  allows: [{ intent: 'i1', tools: ['pay.*'], bounds: [{ pointer: '/money/amount', maximum: 50 }] }],
};
const issues = (args: JsonValue) => outOfBounds(intent, 'pay.Refund', args)?.issues;

describe('the bounds of an intent', () => {
  it('hold what they point at', () => {
    expect(issues({ money: { amount: 50 } })).toBeUndefined();
    expect(issues({ money: { amount: 51 } })).toEqual(['/money/amount: is too large']);
    expect(issues({})).toEqual(['/money/amount: has to be there']);
  });

  it.each<readonly [JsonValue]>([
    [{ money: { amount: 1, Amount: 900 } }],
    [{ money: { Amount: 900, amount: 1 } }],
    [{ money: { amount: 1 }, MONEY: { amount: 900 } }],
  ])('are not met by %j, of which a service may take the other one', (args) => {
    expect(issues(args)).toEqual(['/money/amount: has to be there']);
  });
});
