import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAll, temporaryFolder } from '../e2e/support/program.ts';
import { accessToken, ask, exchange, form } from '../intents/support.ts';
import { as, command, type Refunds, refund, refundTool, startRefunds } from './support.ts';

const secret = 'a secret of the chat, long enough';
const policy = `tool: ${refundTool}
consent: { when: { amount: { over: 100 } }, why: It is your money. }
approval: { when: { amount: { over: 1000 } }, scope: payments:approve }
`;
const purposes = `---
tool: ${refundTool}
purpose: [refund, audit]
reason: Refunds are for refunds.
`;

let refunds: Refunds;
let agent: string;
let dana: string;
/** Of dana's, for her own consents and nothing else. */
let herself: string;

beforeAll(async () => {
  const file = join(temporaryFolder(), 'secret');
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  const chat = `{ url: 'http://127.0.0.1:9/', secret: { file: ${file} }, events: [granted], approvers: { D: { account: dana }, E: { account: erin } } }`;
  refunds = await startRefunds(`approvals: { webhooks: { chat: ${chat} } }\n`, { text: policy });
  const { mint } = refunds.gateway;
  agent = await mint('bot', ['payments:refund']);
  dana = await mint('dana', ['payments:refund'], 'person');
  herself = await mint('dana', ['admin:consent'], 'person');
  await mint('erin', ['payments:refund'], 'person');
}, 60_000);
afterAll(endAll);

/** A token with which the agent acts for dana. */
async function acting(more: object = {}, by: string | undefined = agent): Promise<string> {
  const actor = by === undefined ? {} : { actor_token: by, actor_token_type: accessToken };
  const detail = { type: 'intent', message_digest: 'd'.repeat(43), tools: [refundTool], calls: 20, ...more };
  return (await exchange(refunds.gateway, dana, detail, actor)).token;
}

async function waiting(token: string, input: object): Promise<string> {
  const called = await refund(refunds.gateway, token, input);
  expect(called).toMatchObject({ status: 409, reason: 'suspended' });
  return String(called.approval);
}

const asHerself = (operation: string, args = {}) => as(refunds.gateway, herself)(operation, args);
const paid = (order: string) => refunds.paid().filter((line) => line.startsWith(`${order} `));

describe('what an agent does in the name of a person', () => {
  test('goes by its consent to this very call, and once', async () => {
    const token = await acting();
    const id = await waiting(token, { order: 'c1', amount: 240 });
    const { approvals } = await asHerself('approvals.list');
    expect(approvals).toMatchObject([{ id, needs: [{ by: 'subject', agreed: 0 }], mayDecide: true }]);
    expect(await asHerself('approvals.show', { id })).toMatchObject({
      ...{ why: ['It is your money.'], argumentsText: '{"order":"c1","amount":240}' },
    });
    expect(await asHerself('approvals.approve', { id })).toEqual({ id, state: 'granted', changed: true });
    await waiting(token, { order: 'c1', amount: 241 });
    expect(await refund(refunds.gateway, token, { order: 'c1', amount: 240 })).toMatchObject({ status: 200 });
    expect(paid('c1')).toEqual(['c1 240']);
    await waiting(token, { order: 'c1', amount: 240 });
    const ofIt = (await refunds.gateway.records()).filter(({ approval }) => approval === id);
    expect(ofIt.map(({ outcome, obligations }) => [outcome, obligations])).toEqual([
      ['suspended', ['consent']],
      ['answered', ['consent']],
    ]);
  });

  test('is refused when that person rejects it', async () => {
    const token = await acting();
    const id = await waiting(token, { order: 'c2', amount: 240 });
    await asHerself('approvals.reject', { id, reason: 'Not mine.', tell: true });
    expect(await refund(refunds.gateway, token, { order: 'c2', amount: 240 })).toMatchObject({
      ...{ status: 403, reason: 'approval_rejected', reasons: ['Not mine.'] },
    });
  });

  test('needs approvers besides where a policy says so, and the person is none of them', async () => {
    const { mint } = refunds.gateway;
    const eve = await mint('eve', ['admin:approvals', 'payments:approve'], 'person');
    const both = await mint('dana', ['admin:consent', 'payments:approve'], 'person');
    const token = await acting();
    const id = await waiting(token, { order: 'c3', amount: 2400 });
    const approve = (who: string) => as(refunds.gateway, who)('approvals.approve', { id });
    expect(await approve(both)).toMatchObject({ state: 'pending' });
    await waiting(token, { order: 'c3', amount: 2400 });
    expect(await approve(eve)).toMatchObject({ state: 'granted' });
    expect(await refund(refunds.gateway, token, { order: 'c3', amount: 2400 })).toMatchObject({ status: 200 });
  });

  test('is nothing that the agent, another person, the owner or an approver can consent to', async () => {
    const { mint, operate } = refunds.gateway;
    const token = await acting();
    const id = await waiting(token, { order: 'c4', amount: 240 });
    const [erin, approver, anotherKind] = await Promise.all([
      mint('erin', ['admin:consent'], 'person'),
      mint('fay', ['admin:approvals', 'payments:approve'], 'person'),
      mint('bot', ['admin:consent']),
    ]);
    const refusals = await Promise.all(
      [token, dana, erin, anotherKind, approver].map((who) =>
        as(refunds.gateway, who)('approvals.approve', { id }).catch(({ reason }) => reason),
      ),
    );
    const lacking = 'insufficient_scope';
    expect(refusals).toEqual(['intent_exceeded', lacking, 'not_found', 'not_found', 'policy_denied']);
    expect(await operate('approvals.approve', { id }).catch(({ reason }) => reason)).toBe('policy_denied');
    expect((await as(refunds.gateway, erin)('approvals.list')).approvals).toEqual([]);
    expect((await operate('approvals.show', { id })).votes).toEqual([]);
    // No credential for one thing has a scope of administration.
    const detail = { type: 'intent', message_digest: 'd'.repeat(43), tools: ['*'] };
    const { body } = await ask(refunds.gateway, form(herself, detail, { scope: 'admin:consent' }));
    expect(body.error).toBe('invalid_scope');
  });

  test('can be consented to in a chat, by that person alone', async () => {
    const token = await acting();
    const id = await waiting(token, { order: 'c5', amount: 240 });
    const answer = async (approver: string) => {
      const body = JSON.stringify({ id, decision: 'approve', approver });
      const seconds = String(Math.floor(Date.now() / 1000));
      const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
      const headers = { 'content-type': 'application/json', 'sallyport-signature': `t=${seconds},v1=${signature}` };
      const url = new URL('/approvals/answer/chat', refunds.gateway.admin);
      return (await fetch(url, { method: 'POST', body, headers })).status;
    };
    expect(await answer('E')).not.toBe(200);
    expect(await answer('D')).toBe(200);
    expect(await refund(refunds.gateway, token, { order: 'c5', amount: 240 })).toMatchObject({ status: 200 });
  });

  test('is its own where no agent acts, and nobody’s where there is no person', async () => {
    expect(await refund(refunds.gateway, dana, { order: 'c6', amount: 240 })).toMatchObject({ status: 200 });
    expect(await refund(refunds.gateway, agent, { order: 'c7', amount: 240 })).toMatchObject({
      ...{ status: 503, reason: 'approval_unavailable' },
    });
    await waiting(await acting({}, undefined), { order: 'c8', amount: 240 });
    expect(paid('c7')).toEqual([]);
  });
});

test('the command says whose consent is waited for, and takes it', async () => {
  const { admin } = refunds.gateway;
  const token = await acting();
  const id = await waiting(token, { order: 'd1', amount: 240 });
  const run = (...words: readonly string[]) =>
    command(refunds.gateway, ['approvals', ...words, '--url', admin], { SALLYPORT_ADMIN_TOKEN: herself });
  const [{ out: list }, { out: shown }] = await Promise.all([run(), run('show', id)]);
  expect(list).toMatch(new RegExp(`^${id} +pending +dana via bot .* waits for dana's own consent .* yes$`, 'm'));
  expect(shown).toMatch(/needs +waits for dana's own consent/);
  expect((await run('approve', id)).out).toContain('is granted');
  expect((await run('show', id)).out).toContain('dana consented');
});

describe('a tool that is for some purposes', () => {
  test('is called under an intent for one of them, which is on record, and under no other', async () => {
    refunds.setPolicy(`${policy}${purposes}`);
    const { program } = refunds.gateway;
    await expect.poll(() => program.stderr() + program.stdout(), { timeout: 10_000 }).toContain('is in force');
    const call = async (token: string) => refund(refunds.gateway, token, { order: 'p1', amount: 10 });
    const forRefunds = await acting({ purpose: 'refund' });
    const done = await call(forRefunds);
    expect(done).toMatchObject({ status: 200 });
    // The service is told, too.
    expect(JSON.stringify(done.result)).toContain('"purpose":"refund"');
    for (const token of [dana, await acting(), await acting({ purpose: 'marketing' })]) {
      expect(await call(token)).toMatchObject({ status: 404, reason: 'unknown_tool' });
    }
    const records = (await refunds.gateway.records()).filter(({ tool }) => tool === refundTool);
    expect(records.slice(-4).map(({ intent }) => intent?.purpose)).toEqual([
      'refund',
      undefined,
      undefined,
      'marketing',
    ]);
  });

  test('is so under what is made from an intent, too', async () => {
    const detail = (more: object) => ({ type: 'intent', tools: [refundTool], ...more });
    const forRefunds = await acting({ purpose: 'refund' });
    const { token } = await exchange(refunds.gateway, forRefunds, detail({}));
    expect(await refund(refunds.gateway, token, { order: 'p2', amount: 10 })).toMatchObject({ status: 200 });
    const widened = [
      await ask(refunds.gateway, form(forRefunds, detail({ purpose: 'audit' }))),
      await ask(refunds.gateway, form(await acting(), detail({ purpose: 'refund' }))),
      await ask(refunds.gateway, form(dana, detail({ message_digest: 'd'.repeat(43), purpose: 'Refund!' }))),
    ];
    expect(widened.map(({ body }) => [body.error, body.error_description?.split(':')[0]])).toEqual(
      widened.map(() => ['invalid_authorization_details', 'authorization_details/0/purpose']),
    );
  });

  test('is made by the command, with the word', async () => {
    const url = ['--url', refunds.gateway.mcp.href];
    const create = (purpose: string) =>
      command(
        refunds.gateway,
        ['intent', 'create', '--message', 'x', '--tool', refundTool, '--purpose', purpose, ...url],
        { SALLYPORT_TOKEN: dana },
      );
    const [made, wrong] = await Promise.all([create('refund'), create('No word')]);
    expect(await refund(refunds.gateway, made.out.trim(), { order: 'p3', amount: 10 })).toMatchObject({ status: 200 });
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('is not a purpose') });
  });
});
