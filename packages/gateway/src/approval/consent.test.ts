import { randomUUID } from 'node:crypto';
import {
  type Approvals,
  type CallId,
  createPipeline,
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

const finance: Obligation = { kind: 'approve', policy: 'refunds', approvals: 1, scope: 'finance:approve' };
const byItself = { kind: 'consent', policy: 'own', why: 'In your name.' } as const;
const own = (subject: string, more: Partial<Principal> = {}) =>
  fakePrincipal({ subject, kind: 'person', client: `token:${subject}`, scopes: ['admin:consent'], ...more });

let approvals: Approvals;
let opened: TestDesk;
let obligations: readonly Obligation[];
let requester: Principal;
let records: ReturnType<typeof fakeStages>['records'];

beforeEach(() => {
  approvals = memoryApprovals();
  opened = openTestDesk(approvals, () => 1_000_000);
  obligations = [byItself];
  requester = fakePrincipal({ subject: 'dana', kind: 'person', client: 'assistant', actor: { subject: 'bot' } });
  records = [];
});

async function call(args: object = { amount: 240 }) {
  const { stages, records: made } = fakeStages(
    {
      authenticate: () => requester,
      authorize: () => ({ effect: 'permit', policies: [], revision: 'r1', obligations }),
      approve: createApprove([], opened.desk),
      async dispatch(permit, hop) {
        spendPermit(permit);
        hop.sent();
        return { text: '{"content":[]}' as JsonText, isError: false, instance: 'i' };
      },
      nowMs: () => 1_000_000,
    },
    [fakeTool()],
  );
  const argumentsText = JSON.stringify(args) as JsonText;
  const outcome = await createPipeline(stages).invoke(fakeCall({ argumentsText }, { id: randomUUID() as CallId }));
  records.push(...made);
  return outcome;
}

async function waiting(args?: object): Promise<Suspended> {
  const outcome = await call(args);
  if (outcome.kind !== 'suspended') throw new Error(`it does not wait: ${JSON.stringify(outcome)}`);
  return outcome;
}

const person = (subject: string, scopes: readonly string[], more: Partial<Principal> = {}) =>
  fakePrincipal({ subject, scopes: ['admin:approvals', ...scopes], kind: 'person', ...more });
const eve = person('eve', ['finance:approve']);
const approve = (id: string, voter = eve) => opened.desk.vote(voter, id, { verdict: 'approve' });
const refusal = (reason: string, details: object = {}) => ({ kind: 'refused', error: { reason, details } });

describe('a call that the person has to consent to for whom it is made', () => {
  it('waits for that person, and runs once when it agreed', async () => {
    const { question, reason } = await waiting();
    expect(reason).toBe('The person on whose behalf it is made has to agree to this call.');
    const voted = await approve(question, own('dana'));
    expect(voted).toMatchObject({ approval: { state: 'granted', votes: [{ consents: true, scopes: [] }] } });
    expect(await call()).toMatchObject({ kind: 'answered' });
    expect(await call()).toMatchObject({ kind: 'suspended' });
    expect(records[0]).toMatchObject({ obligations: ['consent'], approval: question });
  });

  it('is refused where that person does not want it, and tells the reason if it is for the caller', async () => {
    const { question } = await waiting();
    await opened.desk.vote(own('dana'), question, { verdict: 'reject', reason: 'Not now.', isPublic: true });
    expect(await call()).toMatchObject(refusal('approval_rejected', { reasons: ['Not now.'] }));
  });

  it.each<[string, Principal, string]>([
    ['another person', own('eve'), 'not_found'],
    ['somebody who approves', eve, 'policy_denied'],
    ['an agent for that person', own('dana', { actor: { subject: 'bot' } }), 'not_found'],
    [
      'a credential for one thing',
      own('dana', { intent: { id: 'i', messageDigest: 'd', expiresAtMs: 9e12 } }),
      'not_found',
    ],
    ['an agent account of the name', own('dana', { kind: 'agent' }), 'not_found'],
    ['the owner of the gateway', person('dana', ['*'], { kind: 'owner' }), 'policy_denied'],
    ['a person of that name in another tenant', own('dana', { tenant: 't' }), 'not_found'],
    ['the program that calls', own('dana', { client: 'assistant' }), 'not_found'],
    ['the agent that acts, as a program', own('dana', { client: 'bot' }), 'not_found'],
  ])('takes it from nobody else: not from %s', async (_who, voter, reason) => {
    const { question } = await waiting();
    await expect(approve(question, voter)).rejects.toMatchObject({ reason });
    await expect(opened.desk.vote(voter, question, { verdict: 'reject' })).rejects.toMatchObject({ reason });
    const [seen] = await opened.desk.list(eve, { limit: 1 });
    expect(opened.desk.mayDecide(voter, seen!)).toBe(false);
    expect(seen?.votes).toEqual([]);
  });

  it('shows that person what waits for its consent, and nothing else', async () => {
    const { question } = await waiting();
    const dana = own('dana');
    obligations = [finance];
    const other = await waiting({ other: true });
    obligations = [byItself];
    requester = { ...requester, subject: 'erin' };
    const others = await waiting();
    expect((await opened.desk.list(dana, { limit: 9 })).map(({ id }) => id)).toEqual([question]);
    expect(await opened.desk.list(eve, { limit: 9 })).toHaveLength(3);
    expect(await opened.desk.show(dana, question)).toMatchObject({ context: { why: ['In your name.'] } });
    for (const id of [other.question, others.question]) {
      await expect(opened.desk.show(dana, id)).rejects.toMatchObject({ reason: 'not_found' });
    }
  });

  it('waits for approvers besides where a policy wants them; neither counts for the other', async () => {
    obligations = [finance, byItself];
    const { question, reason } = await waiting();
    expect(reason).toBe('The person on whose behalf it is made has to agree to it, and a person has to approve it.');
    const dana = own('dana', { scopes: ['admin:approvals', 'finance:approve'] });
    expect(await approve(question, dana)).toMatchObject({ approval: { state: 'pending' } });
    expect(await approve(question)).toMatchObject({ approval: { state: 'granted' } });
    const next = await waiting({ next: true });
    expect(await approve(next.question)).toMatchObject({ approval: { state: 'pending' } });
    expect(await approve(next.question, dana)).toMatchObject({ approval: { state: 'granted' } });
    obligations = [finance];
    await expect(approve((await waiting({ third: true })).question, dana)).rejects.toMatchObject({
      reason: 'policy_denied',
    });
  });

  it.each([
    ['a call without an agent', { actor: undefined }, 'answered'],
    [
      'a call under an intent',
      { actor: undefined, intent: { id: 'i', messageDigest: 'd', expiresAtMs: 9e12 } },
      'suspended',
    ],
    ['a call of a service that serves one of an agent', { kind: 'service', serving: 'person' }, 'suspended'],
    ['a call of a service that serves one of no person', { kind: 'service', serving: 'agent' }, 'refused'],
    ['a call on behalf of an agent', { kind: 'agent' }, 'refused'],
    ['a call of an agent', { kind: 'agent', actor: undefined }, 'refused'],
    ['a call of a service', { kind: 'service', actor: undefined }, 'refused'],
  ])('where it is %s, ends as it should', async (_which, { serving, ...more }: Record<string, unknown>, ending) => {
    const served = serving === undefined ? {} : { serving: { ...requester, kind: serving } };
    requester = { ...requester, ...more, ...served } as Principal;
    const outcome = await call();
    expect(outcome.kind).toBe(ending);
    if (ending === 'refused') expect(outcome).toMatchObject(refusal('approval_unavailable'));
    else expect(await call()).toMatchObject({ kind: ending });
  });

  it('waits where the person calls itself, too, if a policy wants that; another program has to say so', async () => {
    obligations = [{ ...byItself, always: true }];
    requester = fakePrincipal({ subject: 'dana', kind: 'person', client: 'assistant' });
    const { question } = await waiting();
    await expect(approve(question, own('dana', { client: 'assistant' }))).rejects.toMatchObject({
      reason: 'not_found',
    });
    expect(await approve(question, own('dana'))).toMatchObject({ approval: { state: 'granted' } });
    expect(await call()).toMatchObject({ kind: 'answered' });
  });

  it('is withdrawn when consent is asked for that was not before', async () => {
    obligations = [finance];
    const { question } = await waiting();
    await approve(question);
    obligations = [finance, byItself];
    expect(await call()).toMatchObject(refusal('approval_withdrawn', { approval: question }));
  });
});
