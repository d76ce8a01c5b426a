import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAll } from '../e2e/support/program.ts';
import { as, command, policy, type Refunds, refund, startRefunds } from './support.ts';

let refunds: Refunds;
let agent: string;
let eve: string;

beforeAll(async () => {
  refunds = await startRefunds();
  const { mint } = refunds.gateway;
  agent = await mint('bot', ['payments:refund']);
  eve = await mint('eve', ['admin:approvals', 'payments:approve'], 'person');
}, 60_000);
afterAll(endAll);

const call = (input: Parameters<typeof refund>[2], token = agent) => refund(refunds.gateway, token, input);
const asEve = (operation: string, args = {}) => as(refunds.gateway, eve)(operation, args);
const paid = (order: string) => refunds.paid().filter((line) => line.startsWith(`${order} `));

async function waiting(input: Parameters<typeof refund>[2]): Promise<string> {
  const { approval, reason } = await call(input);
  expect(reason).toBe('suspended');
  return String(approval);
}

describe('a refund', () => {
  test('of little goes through; of much waits for a person, runs once and waits again', async () => {
    expect(await call({ order: 'o1', amount: 80 })).toMatchObject({ status: 200 });
    const id = await waiting({ order: 'o2', amount: 240 });
    expect(id).toMatch(/^apr_[1-9A-HJ-NP-Za-km-z]{16}$/);
    expect(await waiting({ amount: 240, order: 'o2' })).toBe(id);
    expect(paid('o2')).toEqual([]);
    expect(await asEve('approvals.approve', { id })).toEqual({ id, state: 'granted', changed: true });
    expect(await call({ order: 'o2', amount: 240 })).toMatchObject({ status: 200 });
    expect(paid('o2')).toEqual(['o2 240']);
    expect(await waiting({ order: 'o2', amount: 240 })).not.toBe(id);
  });

  test('that was approved and changed is another refund', async () => {
    const id = await waiting({ order: 'o3', amount: 240 });
    await asEve('approvals.approve', { id });
    expect(await waiting({ order: 'o3', amount: 250 })).not.toBe(id);
    expect(paid('o3')).toEqual([]);
  });

  test('that a person rejected is refused, with the reason if it is for the caller', async () => {
    const id = await waiting({ order: 'o4', amount: 240 });
    await asEve('approvals.reject', { id, reason: 'Paid twice already.', tell: true });
    expect(await call({ order: 'o4', amount: 240 })).toEqual({
      ...{ status: 403, reason: 'approval_rejected', approval: id, reasons: ['Paid twice already.'] },
    });
  });

  test('runs once of two that race for one approval', async () => {
    const id = await waiting({ order: 'o5', amount: 240 });
    await asEve('approvals.approve', { id });
    const both = await Promise.all([call({ order: 'o5', amount: 240 }), call({ order: 'o5', amount: 240 })]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(paid('o5')).toEqual(['o5 240']);
  });

  test('is for nobody who asked for it, has no such scope, or is no person to decide', async () => {
    const { mint } = refunds.gateway;
    const both = await mint('carol', ['payments:refund', 'payments:approve', 'admin:approvals'], 'person');
    const { approval: id } = await call({ order: 'o6', amount: 240 }, both);
    const mallory = await mint('mallory', ['admin:approvals', 'other:approve'], 'person');
    const machine = await mint('machine', ['admin:approvals', 'payments:approve'], 'agent');
    const nobody = await mint('nobody', ['payments:approve'], 'person');
    const refusals = await Promise.all(
      [both, mallory, machine, nobody, agent].map((token) =>
        as(refunds.gateway, token)('approvals.approve', { id: String(id) }).catch(({ reason }) => reason),
      ),
    );
    const lacking = 'insufficient_scope';
    expect(refusals).toEqual(['policy_denied', lacking, 'policy_denied', lacking, lacking]);
    expect(await call({ order: 'o6', amount: 240 }, both)).toMatchObject({ reason: 'suspended', approval: id });
  });
});

describe('what is on record', () => {
  test('are the call that waited, the votes, and the call that went by it, with nothing of the arguments in the clear', async () => {
    const id = await waiting({ order: 'o7', amount: 240, note: 'a secret of the customer' });
    await asEve('approvals.approve', { id });
    await call({ order: 'o7', amount: 240, note: 'a secret of the customer' });
    const records = await refunds.gateway.records();
    const ofIt = records.filter(({ approval }) => approval === id);
    expect(ofIt.map(({ subject, outcome, stage }) => [subject, outcome, stage])).toEqual([
      ['bot', 'suspended', undefined],
      ['bot', 'answered', undefined],
    ]);
    expect(ofIt[0]?.obligations).toEqual(['approve']);
    expect(records).toContainEqual(
      expect.objectContaining({ subject: 'eve', tool: 'admin.approvals.approve', outcome: 'answered' }),
    );
    expect(JSON.stringify(records)).not.toContain('a secret');
    expect(refunds.gateway.program.stderr()).not.toContain('a secret');
    expect(await refunds.gateway.verify()).toMatchObject({ ok: true });
  });
});

describe('the command', () => {
  const run = (...words: readonly string[]) => command(refunds.gateway, ['approvals', ...words]);

  test('lists, shows, approves and rejects; arguments are shown as they are and obeyed by no terminal', async () => {
    const order = 'o8\u001b[31m\u202e\u200b';
    const id = await waiting(`{"order":${JSON.stringify(order)},"amount":240.10}`);
    const [{ out: list }, { out: shown, err }] = await Promise.all([run(), run('show', id)]);
    expect(list).toMatch(new RegExp(`^${id} +pending +bot +payments.Payments.Refund +0 of 1 .* yes$`, 'm'));
    expect(shown).toContain('"amount": 240.10');
    expect(shown).toContain('"order": "o8\\u001b[31m\\u202e\\u200b"');
    expect(shown).toMatch(/why +A refund of more than 100\./);
    expect(shown).toMatch(/needs +0 of 1 with payments:approve/);
    expect(err).toContain(`sallyport approvals approve ${id}`);
    const url = ['--url', refunds.gateway.admin];
    const asPerson = (...words: readonly string[]) =>
      command(refunds.gateway, ['approvals', ...words, ...url], { SALLYPORT_ADMIN_TOKEN: eve });
    expect((await asPerson('approve', id, '--reason', 'seen')).out).toContain('is granted');
    const create = (kind: string) =>
      command(refunds.gateway, ['token', 'create', '--name', kind, '--kind', kind, '--scope', 'admin:approvals,x:y']);
    const [again, rejected, nonsense, withoutToken, ...made] = await Promise.all([
      asPerson('approve', id),
      asEve('approvals.reject', { id, reason: 'a mistake' }).then(() => run('show', id)),
      run('show', 'nonsense'),
      command(refunds.gateway, ['approvals', ...url]),
      ...['person', 'agent'].map(create),
    ]);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('already') });
    expect(rejected.out).toContain('eve rejected');
    expect([nonsense.code, withoutToken.code]).toEqual([2, 2]);
    expect(made.map(({ code }) => code)).toEqual([0, 2]);
  }, 60_000);
});

describe('watching', () => {
  test('answers when something changes', async () => {
    const { etag } = await asEve('approvals.watch');
    const watched = asEve('approvals.watch', { etag });
    const id = await waiting({ order: 'o9', amount: 300 });
    const { approvals } = await watched;
    expect(approvals[0]).toMatchObject({ id, state: 'pending', requester: { subject: 'bot' }, mayDecide: true });
  });
});

describe('a change of the policies', () => {
  test('withdraws what was asked for and approved under the old ones', async () => {
    const [pending, granted] = [
      await waiting({ order: 'o10', amount: 240 }),
      await waiting({ order: 'o11', amount: 240 }),
    ];
    await asEve('approvals.approve', { id: granted });
    refunds.setPolicy(policy.replace('30m', '20m'));
    const { program } = refunds.gateway;
    await expect.poll(() => program.stderr() + program.stdout()).toContain('is in force');
    await expect.poll(async () => (await call({ order: 'o11', amount: 240 })).reason).toBe('approval_withdrawn');
    const refused = asEve('approvals.approve', { id: pending });
    await expect(refused).rejects.toMatchObject({ reason: 'conflict' });
    expect(await call({ order: 'o10', amount: 240 })).toMatchObject({
      reason: 'approval_withdrawn',
      approval: pending,
    });
    const records = await refunds.gateway.records({ reason: 'approval_withdrawn' });
    expect(records.map(({ approval }) => approval).sort()).toEqual([granted, pending, pending].sort());
  });
});
