import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPipeline, type JsonText } from '@sallyport/core';
import { fakeCall, fakePrincipal, fakeStages } from '@sallyport/testkit';
import { openTestDesk } from '../packages/gateway/src/approval/desk.fixture.ts';
import { createApprove } from '../packages/gateway/src/approval/stage.ts';
import { openState } from '../packages/gateway/src/store/index.ts';

/**
 * What approvals cost, in a database on this disk: a call that begins to wait, one that joins it, the decision of a person, and
 * the call that goes by it; and a call that nobody has to approve, with a desk and without. Microseconds, the median of many.
 */
const isSmoke = process.argv.includes('--smoke');
const rounds = isSmoke ? 20 : 500;
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
const state = await openState({ path: join(folder, 'state.db'), nowMs: Date.now });
const settings = { maxPending: 1e6, maxPendingPerTool: 1e6, lifeMs: 3_600_000, approvers: ['person'] } as const;
const { desk } = openTestDesk(state.approvals, Date.now, {
  settings: () => settings,
  hashKey: createSecretKey(randomBytes(32)),
  channels: () => [],
});
const obligation = { kind: 'approve', policy: 'p', approvals: 1, scope: 'x:approve' } as const;
const eve = fakePrincipal({ subject: 'eve', kind: 'person', scopes: ['admin:approvals', 'x:approve'] });

function pipelineWith(obligations: readonly (typeof obligation)[], withDesk: boolean) {
  const { stages } = fakeStages({
    authorize: () => ({ effect: 'permit', policies: [], revision: 'r', obligations }),
    approve: createApprove([], ...(withDesk ? [desk] : [])),
    record: async () => undefined,
    nowMs: Date.now,
  });
  return createPipeline(stages);
}

const times = new Map<string, number[]>();

async function timed<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const begin = process.hrtime.bigint();
  const result = await work();
  const micros = Number(process.hrtime.bigint() - begin) / 1_000;
  times.set(name, [...(times.get(name) ?? []), micros]);
  return result;
}

const [asked, plain, bare] = [pipelineWith([obligation], true), pipelineWith([], true), pipelineWith([], false)];
for (let round = 0; round < rounds; round++) {
  const call = () => fakeCall({ argumentsText: `{"order":"o-${round}","amount":240}` as JsonText });
  const outcome = await timed('a call begins to wait', () => asked.invoke(call()));
  if (outcome.kind !== 'suspended') throw new Error('it does not wait');
  await timed('the same call joins it', () => asked.invoke(call()));
  await timed('a person approves', () => desk.vote(eve, outcome.question, { verdict: 'approve' }));
  const done = await timed('the call goes by it', () => asked.invoke(call()));
  if (done.kind !== 'answered') throw new Error('it does not go by it');
  for (let turn = 0; turn < 20; turn++) {
    await timed('a call that nobody has to approve', () => plain.invoke(call()));
    await timed('the same, without a desk', () => bare.invoke(call()));
  }
}
desk.close();
await state.close();
rmSync(folder, { recursive: true, force: true });

for (const [name, micros] of times) {
  const sorted = [...micros].sort((one, other) => one - other);
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(1).padStart(9);
  process.stdout.write(`${name.padEnd(36)} median ${at(0.5)} µs   p99 ${at(0.99)} µs\n`);
}
