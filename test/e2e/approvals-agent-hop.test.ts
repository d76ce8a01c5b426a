import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { as, startRefunds } from '../approvals/support.ts';
import { endAll, repository } from './support/program.ts';

afterAll(endAll);

it('a service that calls what has to be approved is refused, on record too, and gets there when it was approved', async () => {
  const file = join(import.meta.dirname, 'support/approval-orders.ts');
  const compileCache = process.env.NODE_COMPILE_CACHE;
  const env = JSON.stringify(compileCache ? { NODE_COMPILE_CACHE: compileCache } : {});
  const { gateway, paid } = await startRefunds(
    `  orders: { command: [node, ${file}], cwd: ${repository}, watch: [], env: ${env}, scopes: ['payments:refund'] }\n`,
  );
  const agent = await gateway.mint('bot', ['orders:cancel']);
  const eve = await gateway.mint('eve', ['admin:approvals', 'payments:approve'], 'person');
  const cancel = async (): Promise<any> => {
    const response = await fetch(new URL('/mcp/call', gateway.mcp), {
      method: 'POST',
      headers: { Authorization: `Bearer ${agent}`, 'Content-Type': 'application/json', Prefer: 'wait=60' },
      body: JSON.stringify({ tool: 'orders.Orders.Cancel', input: { order: 'h1' } }),
    });
    return response.json();
  };
  expect((await cancel()).error.message).toBe('not paid back: approval_unavailable');
  const { approvals } = await as(gateway, eve)('approvals.list');
  expect(approvals).toMatchObject([{ state: 'pending', requester: { subject: 'bot', actors: ['service:orders'] } }]);
  const [{ id }] = approvals;
  const nested = (await gateway.records()).filter(({ tool }) => tool === 'payments.Payments.Refund');
  expect(nested).toMatchObject([
    { outcome: 'refused', reason: 'approval_unavailable', stage: 'approve', approval: id, subject: 'bot' },
  ]);
  await as(gateway, eve)('approvals.approve', { id });
  expect((await cancel()).result).toEqual({ refunded: 240 });
  expect(paid()).toEqual(['h1 240']);
}, 60_000);
