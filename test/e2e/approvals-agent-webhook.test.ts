import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { as, policy, type Refunds, refund, startRefunds } from '../approvals/support.ts';
import { endAll, temporaryFolder } from './support/program.ts';

interface Heard {
  readonly path: string;
  readonly signature: string;
  readonly text: string;
  readonly body: any;
}

const secret = 'a secret of the desk, long enough';
const heard: Heard[] = [];
const listeners = new Set<() => void>();
const receiver = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  request.on('end', () => {
    const signature = String(request.headers['sallyport-signature']);
    heard.push({ path: request.url ?? '', signature, text, body: JSON.parse(text) });
    response.end('ok');
    for (const listener of [...listeners]) listener();
  });
});

/** The first message that was heard, or will be, that is as wanted. */
function message(isWanted: (one: Heard) => boolean): Promise<Heard> {
  return new Promise((resolve) => {
    const look = (): void => {
      const found = heard.find(isWanted);
      if (found === undefined) return;
      listeners.delete(look);
      resolve(found);
    };
    listeners.add(look);
    look();
  });
}

let refunds: Refunds;
let agent: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  const file = join(temporaryFolder(), 'secret');
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  const approvers = `approvers: {
        U01EVE: { account: eve, scopes: [payments:approve] },
        U02BOT: { account: carol, scopes: [payments:approve] },
        U03GONE: { account: gone, scopes: [payments:approve] },
        U04LITTLE: { account: little, scopes: [other:approve] } }`;
  refunds = await startRefunds(
    `approvals:
  webhooks:
    desk: { url: '${at}/desk?key=1', secret: { file: ${file} }, ${approvers} }
    chat: { url: '${at}/chat', secret: { file: ${file} }, format: slack, include: arguments, ${approvers} }
`,
    { text: `${policy}notify: desk\n` },
  );
  const { mint, operate } = refunds.gateway;
  agent = await mint('bot', ['payments:refund']);
  for (const name of ['eve', 'gone', 'little']) await mint(name, ['nothing:at-all'], 'person');
  await operate('accounts.disable', { name: 'gone' });
}, 60_000);
afterAll(async () => {
  await endAll();
  receiver.close();
});

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

function hmac(text: string, key = secret): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

interface Posted {
  readonly status: number;
  readonly body: any;
}

async function post(webhook: string, body: string, headers: Record<string, string>): Promise<Posted> {
  const url = new URL(`/approvals/answer/${webhook}`, refunds.gateway.admin);
  const response = await fetch(url, { method: 'POST', headers, body });
  return { status: response.status, body: await response.json() };
}

interface Signed {
  readonly key?: string;
  readonly seconds?: number;
  readonly webhook?: string;
}

function answer(said: object, { key = secret, seconds = nowSeconds(), webhook = 'desk' }: Signed = {}) {
  const body = JSON.stringify(said);
  return post(webhook, body, { 'sallyport-signature': `t=${seconds},v1=${hmac(`${seconds}.${body}`, key)}` });
}

function press(decision: string, id: string, user: string): Promise<Posted> {
  const action = { type: 'button', action_id: decision, value: id };
  const payload = JSON.stringify({ type: 'block_actions', user: { id: user }, actions: [action] });
  const body = new URLSearchParams({ payload }).toString();
  const seconds = String(nowSeconds());
  return post('chat', body, {
    'content-type': 'application/x-www-form-urlencoded',
    ...{ 'x-slack-request-timestamp': seconds, 'x-slack-signature': `v0=${hmac(`v0:${seconds}:${body}`)}` },
  });
}

let orders = 0;

/** A refund that waits: its order, and its approval. */
async function waiting(token = agent): Promise<{ readonly order: string; readonly id: string }> {
  const order = `w${++orders}`;
  const { approval } = await refund(refunds.gateway, token, { order, amount: 240 });
  return { order, id: String(approval) };
}

const paid = (order: string): readonly string[] => refunds.paid().filter((line) => line.startsWith(`${order} `));

describe('a webhook', () => {
  it('is told of what waits, signed and without the arguments, and its answer counts as one of the account', async () => {
    const { order, id } = await waiting();
    const { signature, text, body } = await message(
      ({ path, body: one }) => path === '/desk?key=1' && one.approval?.id === id,
    );
    const [, seconds] = /^t=(\d+),v1=/.exec(signature) ?? [];
    expect(signature).toBe(`t=${seconds},v1=${hmac(`${seconds}.${text}`)}`);
    expect(body).toMatchObject({
      event: 'requested',
      approval: {
        ...{ state: 'pending', tool: 'payments.Payments.Refund', requester: { subject: 'bot' } },
        ...{ needs: [{ scope: 'payments:approve', approvals: 1 }], why: ['A refund of more than 100.'] },
        show: `sallyport approvals show ${id}`,
      },
    });
    expect(text).not.toContain(order);

    const answered = await answer({ id, decision: 'approve', approver: 'U01EVE', reason: 'seen' });
    expect(answered).toMatchObject({ status: 200, body: { result: { id, state: 'granted', changed: true } } });
    expect(await refund(refunds.gateway, agent, { order, amount: 240 })).toMatchObject({ status: 200 });
    expect(paid(order)).toEqual([`${order} 240`]);
    await message(({ path, body: one }) => path === '/desk?key=1' && one.event === 'granted' && one.approval.id === id);
    const records = await refunds.gateway.records();
    expect(records).toContainEqual(
      expect.objectContaining({
        ...{ subject: 'eve', client: 'webhook:desk', method: 'webhook-answer', outcome: 'answered' },
        tool: 'admin.approvals.approve',
      }),
    );
  });

  it('is not believed without its signature, too late, twice, or in somebody else’s name', async () => {
    const { id } = await waiting();
    const said = { id, decision: 'approve', approver: 'U01EVE' };
    const bad = { status: 401, body: { error: { reason: 'credential_invalid' } } };
    expect(await answer(said, { key: 'another secret' })).toMatchObject(bad);
    expect(await answer(said, { seconds: nowSeconds() - 301 })).toMatchObject(bad);
    expect(await answer(said, { seconds: nowSeconds() + 400 })).toMatchObject(bad);
    expect(await answer(said, { webhook: 'nothing' })).toMatchObject(bad);
    expect(await answer({ ...said, approver: 'U99' })).toMatchObject(bad);
    expect(await answer({ ...said, approver: 'U02BOT' })).toMatchObject(bad);
    expect(await answer({ ...said, approver: '' })).toMatchObject(bad);
    expect(await answer({ ...said, approver: 'U03GONE' })).toMatchObject({
      ...{ status: 401, body: { error: { reason: 'credential_revoked' } } },
    });
    expect(await answer({ ...said, approver: 'U04LITTLE' })).toMatchObject({
      ...{ status: 403, body: { error: { reason: 'insufficient_scope' } } },
    });
    expect(await post('desk', JSON.stringify(said), {})).toMatchObject(bad);
    const show = () => refunds.gateway.operate('approvals.show', { id });
    expect(await show()).toMatchObject({ state: 'pending' });

    const seconds = nowSeconds();
    const rejected = { ...said, decision: 'reject', reason: 'No.' };
    expect(await answer(rejected, { seconds })).toMatchObject({ status: 200 });
    expect(await answer(rejected, { seconds })).toMatchObject(bad);
    expect(await show()).toMatchObject({ state: 'rejected', votes: [{ subject: 'eve', reason: 'No.' }] });
  });

  it('does not let who asked agree', async () => {
    const token = await refunds.gateway.mint('carol', ['payments:refund'], 'person');
    const { id } = await waiting(token);
    expect(await answer({ id, decision: 'approve', approver: 'U02BOT' })).toMatchObject({
      ...{ status: 403, body: { error: { reason: 'policy_denied' } } },
    });
  });

  it('can do nothing but answer', async () => {
    const { id } = await waiting();
    for (const decision of ['list', 'approve","x":"', 'tokens.create', '']) {
      expect((await answer({ id, decision, approver: 'U01EVE' })).status).toBe(401);
    }
    expect((await answer({ id: 'apr_x', decision: 'approve', approver: 'U01EVE' })).status).toBe(400);
  });
});

it('a webhook is told of calls that a policy wants told', async () => {
  await refund(refunds.gateway, agent, { order: 'n1', amount: 80 });
  const { path, body } = await message(({ body: one }) => one.event === 'call' && one.call.fate === 'answered');
  expect(path).toBe('/desk?key=1');
  expect(body.call).toMatchObject({ tool: 'payments.Payments.Refund', subject: 'bot', client: 'token:token' });
});

describe('a webhook of Slack', () => {
  it('shows two buttons, and one of them is an answer', async () => {
    const { order, id } = await waiting();
    const { body } = await message(({ path, text }) => path === '/chat' && text.includes(id));
    const { blocks } = body;
    expect(blocks.at(-1)).toMatchObject({
      type: 'actions',
      elements: [
        { type: 'button', action_id: 'approve', value: id },
        { type: 'button', action_id: 'reject', value: id },
      ],
    });
    expect(JSON.stringify(blocks)).toContain(order);
    expect(await press('approve', id, 'U99')).toMatchObject({ status: 401 });
    expect(await press('approve', id, 'U01EVE')).toMatchObject({ status: 200, body: { result: { state: 'granted' } } });
    expect(await refund(refunds.gateway, agent, { order, amount: 240 })).toMatchObject({ status: 200 });
    expect(paid(order)).toEqual([`${order} 240`]);
    const other = await waiting();
    expect(await press('reject', other.id, 'U01EVE')).toMatchObject({ status: 200 });
    expect(await refund(refunds.gateway, agent, { order: other.order, amount: 240 })).toMatchObject({
      reason: 'approval_rejected',
    });
  });

  it('is not answered by a program’s signature, nor the other way round', async () => {
    const { id } = await waiting();
    const said = { id, decision: 'approve', approver: 'U01EVE' };
    expect((await answer(said, { webhook: 'chat' })).status).toBe(401);
    expect(await as(refunds.gateway, agent)('approvals.approve', { id }).catch(({ reason }) => reason)).toBe(
      'insufficient_scope',
    );
  });
});
