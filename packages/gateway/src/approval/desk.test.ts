import { randomUUID } from 'node:crypto';
import {
  type Answer,
  type ApprovalEvent,
  type CallId,
  createPipeline,
  GatewayError,
  type JsonText,
  type Obligation,
  type Principal,
  type Suspended,
  spendPermit,
} from '@sallyport/core';
import { fakeCall, fakePrincipal, fakeStages, fakeTool, memoryApprovals } from '@sallyport/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { openTestDesk, type TestDesk } from './desk.fixture.ts';
import { createApprove } from './stage.ts';

const finance: Obligation = {
  kind: 'approve',
  policy: 'refunds',
  approvals: 1,
  scope: 'finance:approve',
  why: 'Money.',
};
const legal: Obligation = { kind: 'approve', policy: 'contracts', approvals: 2, scope: 'legal:approve' };

let nowMs: number;
let obligations: readonly Obligation[];
let revision: string;
let definitionHash: string;
let requester: Principal;
let answering: () => Promise<Partial<Answer>>;
let approvals: ReturnType<typeof memoryApprovals>;
let opened: TestDesk;
let isCurrent: boolean;
let sent: string[];
let records: ReturnType<typeof fakeStages>['records'];

beforeEach(() => {
  nowMs = 1_000_000;
  [obligations, revision, definitionHash] = [[finance], 'r1', 'd1'];
  requester = fakePrincipal({ subject: 'dana', actor: { subject: 'bot', actor: { subject: 'helper' } } });
  answering = async () => ({});
  isCurrent = true;
  approvals = memoryApprovals();
  opened = openTestDesk(approvals, () => nowMs, { isCurrent: () => isCurrent });
  sent = [];
  records = [];
});

async function call(args: unknown = { amount: 240 }, more: { goesOn?: boolean; text?: string; tool?: string } = {}) {
  const { stages, records: made } = fakeStages(
    {
      authenticate: () => requester,
      authorize: () => ({ effect: 'permit', policies: [], revision, obligations }),
      approve: createApprove([], opened.desk),
      async dispatch(permit, hop) {
        const answer = await answering();
        spendPermit(permit);
        hop.sent();
        sent.push(permit.argumentsText);
        return { text: '{"content":[]}' as JsonText, isError: false, instance: 'i', ...answer };
      },
      nowMs: () => nowMs,
    },
    [fakeTool({ definitionHash, name: more.tool ?? 'tasks.TaskService.Create' })],
  );
  const argumentsText = (more.text ?? JSON.stringify(args)) as JsonText;
  const retry = more.goesOn ? { retry: { inputResponsesText: '{}' as JsonText } } : {};
  const outcome = await createPipeline(stages).invoke(
    fakeCall(
      { argumentsText, ...(more.tool !== undefined && { name: more.tool }), ...retry },
      { id: randomUUID() as CallId },
    ),
  );
  records.push(...made);
  return outcome;
}

async function waiting(args?: unknown): Promise<Suspended> {
  const outcome = await call(args);
  if (outcome.kind !== 'suspended') throw new Error(`it does not wait: ${JSON.stringify(outcome)}`);
  return outcome;
}

const person = (subject: string, scopes: readonly string[] = ['finance:approve'], more: Partial<Principal> = {}) =>
  fakePrincipal({ subject, scopes: ['admin:approvals', ...scopes], kind: 'person', ...more });
const eve = person('eve');
const approve = (id: string, voter = eve) => opened.desk.vote(voter, id, { verdict: 'approve' });
const reject = (id: string, isPublic = false) =>
  opened.desk.vote(eve, id, { verdict: 'reject', reason: 'Not this one.', isPublic });
const refusal = (reason: string, details: object = {}) => ({ kind: 'refused', error: { reason, details } });
const told = () => opened.told.map(({ kind }: ApprovalEvent) => kind);

describe('a call that has to be approved', () => {
  it('waits, runs once when it was approved, and waits again the next time', async () => {
    const first = await waiting();
    expect(first).toMatchObject({ expiresAtMs: nowMs + 60_000, reason: 'A person has to approve this call.' });
    expect(sent).toEqual([]);
    expect(await waiting()).toMatchObject({ question: first.question });
    expect(await approve(first.question)).toMatchObject({ isNew: true, approval: { state: 'granted' } });
    expect(await call()).toMatchObject({ kind: 'answered' });
    expect(sent).toEqual(['{"amount":240}']);
    expect((await approvals.look(first.question))?.state).toBe('spent');
    expect((await waiting()).question).not.toBe(first.question);
    expect(records.map(({ outcome, approval }) => [outcome, approval])).toEqual([
      ...[1, 2].map(() => ['suspended', first.question]),
      ['answered', first.question],
      ['suspended', expect.not.stringMatching(first.question)],
    ]);
  });

  it('is another call with other arguments, whoever approved these', async () => {
    const { question } = await waiting({ amount: 240 });
    await approve(question);
    expect((await waiting({ amount: 250 })).question).not.toBe(question);
    expect(await call({ amount: 240, extra: null })).toMatchObject({ kind: 'suspended' });
    expect(sent).toEqual([]);
    expect(await call(undefined, { text: ' { "amount" : 2.40e2 } ' })).toMatchObject({ kind: 'answered' });
  });

  it.each([
    ['subject', { subject: 'erin' }],
    ['client', { client: 'another' }],
    ['tenant', { tenant: 't' }],
    ['application', { app: 'a' }],
    ['actor', { actor: { subject: 'bot' } }],
    ['intent', { intent: { id: 'i', messageDigest: 'd', expiresAtMs: 9e12 } }],
  ])('is another call of another %s', async (_what, other) => {
    await approve((await waiting()).question);
    requester = { ...requester, ...other };
    expect(await call()).toMatchObject({ kind: 'suspended' });
  });

  it.each([
    ['the policies', () => (revision = 'r2')],
    ['the tool', () => (definitionHash = 'd2')],
    ['what is needed', () => (obligations = [finance, legal])],
  ])('is refused once when %s changed since it was asked for or approved', async (_what, change) => {
    const { question } = await waiting();
    await approve(question);
    change();
    expect(await call()).toMatchObject(refusal('approval_withdrawn', { approval: question }));
    expect(records.at(-1)).toMatchObject({ outcome: 'refused', approval: question, stage: 'approve' });
    expect(told()).toEqual(['requested', 'granted', 'withdrawn']);
    expect((await waiting()).question).not.toBe(question);
    expect(sent).toEqual([]);
  });

  it('is refused when it was rejected, with the reason only where that is for the caller', async () => {
    const { question } = await waiting();
    await reject(question);
    const outcome = await call();
    expect(outcome).toMatchObject(refusal('approval_rejected', { approval: question }));
    expect(JSON.stringify(outcome)).not.toContain('Not this one');
    expect(JSON.stringify(await approvals.look(question))).not.toContain('Not this one');
    expect((await opened.desk.show(eve, question)).approval.votes).toMatchObject([{ reason: 'Not this one.' }]);
    const other = await waiting({ amount: 1 });
    await reject(other.question, true);
    expect(await call({ amount: 1 })).toMatchObject(refusal('approval_rejected', { reasons: ['Not this one.'] }));
    expect(told()).toEqual(['requested', 'rejected', 'requested', 'rejected']);
  });

  it('is refused once when nobody approved it in time, and when it was approved and not made in time', async () => {
    for (const isApproved of [false, true]) {
      const { question } = await waiting();
      if (isApproved) await approve(question);
      nowMs += 60_000;
      expect(await call()).toMatchObject(refusal('approval_expired', { approval: question }));
      await reject((await waiting()).question);
      nowMs += 60_000;
    }
  });

  it('is refused when too many wait', async () => {
    await waiting({ n: 1 });
    await waiting({ n: 2 });
    expect(await call({ n: 3 })).toMatchObject(refusal('approvals_exhausted'));
    expect(await call({ n: 3 }, { tool: 'other.Tool' })).toMatchObject({ kind: 'suspended' });
    expect(await call({ n: 4 }, { tool: 'a.third' })).toMatchObject(refusal('approvals_exhausted'));
    expect(await call({ n: 1 })).toMatchObject({ kind: 'suspended' });
  });

  it('is refused when its arguments are longer than people read', async () => {
    expect(await call({ text: 'x'.repeat(600_000) })).toMatchObject(refusal('approval_unavailable'));
  });

  it('keeps its approval when nothing left, and spends it when nobody knows', async () => {
    const { question } = await waiting();
    await approve(question);
    answering = async () => {
      throw new GatewayError('upstream_unavailable');
    };
    expect(await call()).toMatchObject(refusal('upstream_unavailable'));
    answering = async () => ({});
    expect(await call()).toMatchObject({ kind: 'answered' });
    const next = await waiting();
    await approve(next.question);
    const spent = fakeStages(
      {
        authenticate: () => requester,
        authorize: () => ({ effect: 'permit', policies: [], revision, obligations }),
        approve: createApprove([], opened.desk),
        async dispatch(permit, hop) {
          spendPermit(permit);
          hop.sent();
          throw new GatewayError('upstream_timeout');
        },
        nowMs: () => nowMs,
      },
      [fakeTool({ definitionHash })],
    );
    const again = fakeCall({ argumentsText: '{"amount":240}' as JsonText });
    expect(await createPipeline(spent.stages).invoke(again)).toMatchObject(refusal('upstream_timeout'));
    expect((await approvals.look(next.question))?.state).toBe('spent');
  });

  it('goes on by its approval with the answer to a question of the service, and no other call does', async () => {
    const { question } = await waiting();
    await approve(question);
    answering = async () => ({ resultType: 'input_required' });
    await call();
    expect((await approvals.look(question))?.state).toBe('asked');
    expect((await waiting()).question).not.toBe(question);
    answering = async () => ({});
    expect(await call(undefined, { goesOn: true, text: '{"amount":240}' })).toMatchObject({ kind: 'answered' });
    expect((await approvals.look(question))?.state).toBe('spent');
  });

  it('runs once of many that come back at the same time', async () => {
    await approve((await waiting()).question);
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => call()));
    expect(outcomes.filter(({ kind }) => kind === 'answered')).toHaveLength(1);
    expect(new Set(outcomes.flatMap((one) => (one.kind === 'suspended' ? [one.question] : []))).size).toBe(1);
  });

  it('waits for nobody where policies want no approval, and is refused where nobody could be asked', async () => {
    obligations = [{ kind: 'audit', policy: 'p' }];
    expect(await call()).toMatchObject({ kind: 'answered' });
    const { stages } = fakeStages({
      authorize: () => ({ effect: 'permit', policies: [], revision, obligations: [finance] }),
      approve: createApprove([]),
    });
    expect(await createPipeline(stages).invoke(fakeCall())).toMatchObject(refusal('approval_unavailable'));
  });
});

describe('deciding', () => {
  it('takes so many different people for each scope; one person counts once', async () => {
    obligations = [finance, legal, { ...finance, approvals: 2 }];
    const { question, reason } = await waiting();
    expect(reason).toBe('2 people have to approve this call.');
    expect(await approve(question)).toMatchObject({ isNew: true, approval: { state: 'pending' } });
    expect(await approve(question)).toMatchObject({ isNew: false });
    expect(await approve(question, { ...eve, credentialId: 'another token' })).toMatchObject({ isNew: false });
    await approve(question, person('frank', ['*']));
    expect((await approvals.look(question))?.state).toBe('pending');
    await approve(question, person('grace', ['legal:*']));
    expect((await approvals.look(question))?.state).toBe('granted');
    expect(told()).toEqual(['requested', 'voted', 'voted', 'granted']);
  });

  it.each([
    ['who asked', person('dana'), 'policy_denied'],
    ['the agent that acts for them', person('bot'), 'policy_denied'],
    ['an agent behind that', person('helper'), 'policy_denied'],
    ['the program it acts by', person('test'), 'policy_denied'],
    ['an agent for somebody else', person('eve', ['finance:approve'], { actor: { subject: 'x' } }), 'policy_denied'],
    ['a service', person('eve', ['finance:approve'], { kind: 'service' }), 'policy_denied'],
    ['an agent', person('eve', ['finance:approve'], { kind: 'agent' }), 'policy_denied'],
    ['somebody with another scope', person('eve', ['legal:approve', 'finance:read']), 'insufficient_scope'],
    ['somebody of another tenant', person('eve', ['finance:approve'], { tenant: 'u' }), 'not_found'],
  ])('is not for %s', async (_who, voter, reason) => {
    const { question } = await waiting();
    await expect(approve(question, voter)).rejects.toMatchObject({ reason });
    expect((await approvals.look(question))?.votes).toEqual([]);
    const [seen] = await opened.desk.list(eve, { limit: 1 });
    expect(opened.desk.mayDecide(voter, seen!)).toBe(reason === 'not_found');
  });

  it('is for the tenant whose call it is, and for who has none', async () => {
    requester = { ...requester, tenant: 't' };
    const { question } = await waiting();
    expect(await opened.desk.list(person('u', [], { tenant: 'u' }), { limit: 9 })).toEqual([]);
    await expect(opened.desk.show(person('u', [], { tenant: 'u' }), question)).rejects.toMatchObject({
      reason: 'not_found',
    });
    expect(await opened.desk.list(person('t', [], { tenant: 't' }), { limit: 9 })).toHaveLength(1);
    expect(await approve(question)).toMatchObject({ isNew: true });
  });

  it('shows the whole call, which the store keeps sealed', async () => {
    const { question } = await waiting();
    expect(await opened.desk.show(eve, question)).toMatchObject({
      approval: { binding: { requester: { subject: 'dana', actor: { subject: 'bot' } } }, policies: ['refunds'] },
      context: { argumentsText: '{"amount":240}', why: ['Money.'], sideEffect: 'read', kind: 'agent' },
    });
    const { sealed, ...plain } = (await approvals.look(question))!;
    expect(JSON.stringify(plain)).not.toContain('amount');
    const other = await waiting({ amount: 1 });
    const stolen = memoryApprovals();
    await stolen.request(
      { ...(await approvals.look(other.question))!, sealed },
      { nowMs, goesOn: false, maxPending: 1, maxPendingPerTool: 1 },
    );
    const desk = openTestDesk(stolen, () => nowMs).desk;
    expect((await desk.show(eve, other.question)).context).toBeUndefined();
  });

  it('comes too late for what is over, and says what became of it', async () => {
    const spent = await waiting({ n: 1 });
    await approve(spent.question);
    await expect(approve(spent.question, person('frank'))).rejects.toMatchObject({
      reason: 'conflict',
      details: { issues: [expect.stringContaining('granted already')] },
    });
    await call({ n: 1 });
    await expect(reject(spent.question)).rejects.toMatchObject({ reason: 'conflict' });
    const late = await waiting({ n: 2 });
    nowMs += 60_000;
    await expect(approve(late.question)).rejects.toMatchObject({
      details: { issues: [expect.stringContaining('expired')] },
    });
    await expect(approve('apr_none')).rejects.toMatchObject({ reason: 'not_found' });
  });

  it('can be taken back until it is used', async () => {
    const { question } = await waiting();
    await approve(question);
    expect(await reject(question)).toMatchObject({ isNew: true, approval: { state: 'rejected' } });
    expect(await call()).toMatchObject(refusal('approval_rejected'));
  });

  it('withdraws what is not current any more instead of taking a decision on it', async () => {
    const { question } = await waiting();
    isCurrent = false;
    await expect(approve(question)).rejects.toMatchObject({
      reason: 'conflict',
      details: { issues: [expect.stringContaining('changed')] },
    });
    expect(opened.ended).toMatchObject([{ id: question, state: 'withdrawn' }]);
    expect(told()).toEqual(['requested', 'withdrawn']);
    expect(await call()).toMatchObject(refusal('approval_withdrawn', { approval: question }));
  });
});

describe('an approval', () => {
  it('comes to an end that is told and recorded once, though nobody calls', async () => {
    const { question } = await waiting();
    nowMs += 60_000;
    await opened.desk.sweep();
    await opened.desk.sweep();
    expect(opened.ended).toMatchObject([{ id: question, state: 'expired' }]);
    expect(told()).toEqual(['requested', 'expired']);
    expect(await call()).toMatchObject(refusal('approval_expired'));
    expect(told()).toEqual(['requested', 'expired']);
  });

  it('is no matter of channels that fail', async () => {
    const failing = { name: 'broken', tell: () => Promise.reject(new Error('down')) };
    opened = openTestDesk(approvals, () => nowMs, { channels: () => [failing] });
    const { question } = await waiting();
    expect(await approve(question)).toMatchObject({ isNew: true });
    expect(await call()).toMatchObject({ kind: 'answered' });
  });
});
