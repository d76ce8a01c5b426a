import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { as, command, policy, type Refunds, refundTool, startRefunds } from '../approvals/support.ts';
import { byHand, endOf, revision, tasksExtension } from './support/approval-world.ts';
import { endAll, pause } from './support/program.ts';

let refunds: Refunds;
let agent: string;
let eve: string;
let orders = 0;

beforeAll(async () => {
  refunds = await startRefunds('approvals: { wait: 5s }\n');
  agent = await refunds.gateway.mint('bot', ['payments:refund']);
  eve = await refunds.gateway.mint('eve', ['admin:approvals', 'payments:approve'], 'person');
}, 60_000);
afterAll(endAll);

const approve = (id: string) => as(refunds.gateway, eve)('approvals.approve', { id });
const paid = (order: string) => refunds.paid().filter((line) => line.startsWith(`${order} `));
const newRefund = () => ({ order: `r${++orders}`, amount: 240 });

/** The id of the approval that a call of these arguments waits for. */
async function asked(order: string): Promise<string> {
  for (;;) {
    const { approvals } = await as(refunds.gateway, eve)('approvals.list');
    for (const { id } of approvals as readonly { readonly id: string }[]) {
      const shown = await as(refunds.gateway, eve)('approvals.show', { id });
      if (JSON.parse(shown.argumentsText).order === order) return id;
    }
    await pause(10);
  }
}

async function task(args: object, token = agent) {
  const ask = byHand({ url: refunds.gateway.mcp }, tasksExtension, token);
  const { result } = await ask('tools/call', { name: refundTool, arguments: args });
  return { ask, result };
}

it('a task waits for a person, runs once, and both are on record', async () => {
  const args = newRefund();
  const { ask, result } = await task(args);
  expect(result).toMatchObject({ resultType: 'task', status: 'working' });
  expect(result.statusMessage).toContain('A person has to approve this call.');
  const id = await asked(args.order);
  await approve(id);
  expect(await endOf(ask, result.taskId)).toMatchObject({ status: 'completed' });
  expect(paid(args.order)).toEqual([`${args.order} 240`]);
  const records = (await refunds.gateway.records()).filter(({ approval }) => approval === id);
  expect(records.map(({ outcome }) => outcome)).toEqual(['suspended', 'answered']);
});

it('a task never runs for a token that was revoked meanwhile', async () => {
  const token = await refunds.gateway.mint('brief', ['payments:refund']);
  const args = newRefund();
  const { result } = await task(args, token);
  const id = await asked(args.order);
  const { tokens } = await refunds.gateway.operate('tokens.list');
  const [{ id: tokenId }] = tokens.filter((one: { readonly account: string }) => one.account === 'brief');
  await refunds.gateway.operate('tokens.revoke', { id: tokenId });
  await approve(id);
  const other = await refunds.gateway.mint('brief', ['payments:refund']);
  await expect.poll(async () => (await refunds.gateway.records({ reason: 'credential_revoked' })).length).toBe(1);
  expect(paid(args.order)).toEqual([]);
  // The approval is still there, for the same caller with a token that is good.
  const again = byHand({ url: refunds.gateway.mcp }, {}, other);
  expect((await again('tasks/get', { taskId: result.taskId })).error).toBeDefined();
});

it('a call that is kept goes through as soon as a person agrees', async () => {
  const args = newRefund();
  const client = new LegacyClient({ name: 'agent', version: '1' });
  const requestInit = { headers: { Authorization: `Bearer ${agent}` } };
  await client.connect(new LegacyTransport(refunds.gateway.mcp, { requestInit }) as never);
  const call = { name: refundTool, arguments: args };
  expect(await client.callTool(call)).toMatchObject({ isError: true });
  const again = client.callTool(call);
  await approve(await asked(args.order));
  expect(await again).toMatchObject({ structuredContent: { refunded: 240 } });
  expect(paid(args.order)).toHaveLength(1);
  await client.close();
});

it('a client that comes back by itself gets there', async () => {
  const args = newRefund();
  const client = new ModernClient({ name: 'agent', version: '1' }, { versionNegotiation: { mode: { pin: revision } } });
  const requestInit = { headers: { Authorization: `Bearer ${agent}` } };
  await client.connect(new ModernTransport(refunds.gateway.mcp, { requestInit }));
  const call = client.callTool({ name: refundTool, arguments: args });
  await approve(await asked(args.order));
  expect(await call).toMatchObject({ structuredContent: { refunded: 240 } });
  expect(paid(args.order)).toHaveLength(1);
  await client.close();
});

it('the command waits for a person', async () => {
  const args = newRefund();
  const env = { SALLYPORT_URL: refunds.gateway.mcp.href, SALLYPORT_TOKEN: agent };
  const words = ['tools', 'call', refundTool, JSON.stringify(args)];
  const called = command(refunds.gateway, [...words, '--wait', '100'], env);
  await approve(await asked(args.order));
  expect(await called).toMatchObject({ code: 0, out: expect.stringContaining('"refunded": 240') });
  expect(paid(args.order)).toHaveLength(1);
  const other = JSON.stringify(newRefund());
  const waiting = await command(refunds.gateway, ['tools', 'call', refundTool, other, '--json'], env);
  expect(waiting.code).not.toBe(0);
  expect(waiting.out + waiting.err).toMatch(/This call waits: .*apr_/);
}, 60_000);

it('a task comes to nothing when the policies have changed', async () => {
  const args = newRefund();
  const { ask, result } = await task(args);
  const id = await asked(args.order);
  refunds.setPolicy(policy.replace('30m', '20m'));
  const { program } = refunds.gateway;
  await expect.poll(() => program.stderr() + program.stdout()).toContain('is in force');
  // Nobody has to look at it first.
  expect(await endOf(ask, result.taskId)).toMatchObject({
    status: 'failed',
    error: { data: { reason: 'approval_withdrawn' } },
  });
  await expect(approve(id)).rejects.toMatchObject({ reason: 'conflict' });
  expect(paid(args.order)).toEqual([]);
});

it('a call that is kept ends with the gateway', async () => {
  const args = newRefund();
  const kept = fetch(new URL('/mcp/call', refunds.gateway.mcp), {
    method: 'POST',
    headers: { Authorization: `Bearer ${agent}`, 'Content-Type': 'application/json', Prefer: 'wait=300' },
    body: JSON.stringify({ tool: refundTool, input: args }),
  });
  await asked(args.order);
  refunds.gateway.program.kill('SIGTERM');
  expect(await (await kept).json()).toMatchObject({ error: { reason: 'approval_unavailable' } });
  expect(await refunds.gateway.program.ended).toBe(0);
  expect(paid(args.order)).toEqual([]);
});
