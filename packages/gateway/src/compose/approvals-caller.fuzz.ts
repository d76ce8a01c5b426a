/**
 * A process that makes calls which have to be approved, approves them and makes them again, one after the other, for tests
 * that kill it. Each call that leaves is a line in the ledger. It says where it is on stdout:
 * `granted <n>` and `reserved <n>` before a call may leave, `done <n>: <what came of it at first>` after.
 *
 * As `resumed`, the call it begins with was in flight when the process before it died: nobody approves that again.
 */

import { createSecretKey, randomUUID } from 'node:crypto';
import { appendFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createPipeline, type JsonText, spendPermit } from '@sallyport/core';
import { fakeCall, fakePrincipal, fakeStages } from '@sallyport/testkit';
import { openTestDesk } from '../approval/desk.fixture.ts';
import { createApprove } from '../approval/stage.ts';
import { openState } from '../store/state.ts';

const [path = '', ledger = '', key = '', first = '0', how = '', hangs = ''] = process.argv.slice(2);
const state = await openState({ path, nowMs: Date.now });
const { desk } = openTestDesk(state.approvals, Date.now, {
  settings: () => ({ maxPending: 1_000, maxPendingPerTool: 1_000, lifeMs: 3_600_000, approvers: ['person'] }),
  hashKey: createSecretKey(Buffer.from(key, 'hex')),
  newId: () => `apr_${randomUUID().replaceAll('-', '').slice(0, 16)}`,
});
const obligation = { kind: 'approve', policy: 'p', approvals: 1, scope: 'x:approve' } as const;
const say = (what: string): void => void writeSync(1, `${what}\n`);

async function call(n: number) {
  const { stages } = fakeStages({
    authorize: () => ({ effect: 'permit', policies: [], revision: 'r', obligations: [obligation] }),
    approve: createApprove([], desk),
    async credential() {
      say(`reserved ${n}`);
      if (hangs === 'before') await delay(60_000);
      return { kind: 'none' };
    },
    async dispatch(permit, hop) {
      spendPermit(permit);
      hop.sent();
      appendFileSync(ledger, `${n}\n`);
      if (hangs === 'after') await delay(60_000);
      return { text: '{"content":[]}' as JsonText, isError: false, instance: 'i' };
    },
    nowMs: Date.now,
  });
  return createPipeline(stages).invoke(fakeCall({ argumentsText: `{"n":${n}}` as JsonText }));
}

const eve = fakePrincipal({ subject: 'eve', kind: 'person', scopes: ['admin:approvals', 'x:approve'] });
for (let n = Number(first); ; n++) {
  const asked = await call(n);
  if (asked.kind === 'suspended' && (n > Number(first) || how !== 'resumed')) {
    await desk.vote(eve, asked.question, { verdict: 'approve' });
    say(`granted ${n}`);
    await call(n);
  }
  say(`done ${n}: ${asked.kind}`);
}
