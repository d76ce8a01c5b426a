import { afterAll, expect, test } from 'vitest';
import { startGateway } from '../e2e/support/gateway.ts';
import { endAll } from '../e2e/support/program.ts';
import { as, refund, startRefunds } from './support.ts';

afterAll(endAll);

test('what waits, what was granted and what is spent are there after a restart', async () => {
  const { gateway, config, paid } = await startRefunds();
  const agent = await gateway.mint('bot', ['payments:refund']);
  const eve = await gateway.mint('eve', ['admin:approvals', 'payments:approve'], 'person');
  const [waits, granted, spent] = [
    { order: 'w', amount: 240 },
    { order: 'g', amount: 240 },
    { order: 's', amount: 240 },
  ];
  const ids = await Promise.all(
    [waits, granted, spent].map(async (input) => String((await refund(gateway, agent, input)).approval)),
  );
  const approve = (target: typeof gateway, id: string | undefined) =>
    as(target, eve)('approvals.approve', { id: String(id) });
  await approve(gateway, ids[1]);
  await approve(gateway, ids[2]);
  expect(await refund(gateway, agent, spent)).toMatchObject({ status: 200 });
  const { etag } = await as(gateway, eve)('approvals.watch');
  const watched = as(gateway, eve)('approvals.watch', { etag, waitSeconds: 25 }).catch(({ reason }) => reason);
  // It has begun when what was asked after it is answered.
  await as(gateway, eve)('approvals.list');
  gateway.program.kill('SIGTERM');
  await gateway.program.ended;
  // A gateway that ends waits for nobody who waits.
  expect(await watched).toBe('approval_unavailable');

  const next = await startGateway('run', config);
  expect(await refund(next, agent, waits)).toMatchObject({ reason: 'suspended', approval: ids[0] });
  expect(await as(next, eve)('approvals.show', { id: String(ids[0]) })).toMatchObject({
    ...{ state: 'pending', argumentsText: JSON.stringify(waits), requester: { subject: 'bot' } },
  });
  await approve(next, ids[0]);
  for (const input of [waits, granted]) expect(await refund(next, agent, input)).toMatchObject({ status: 200 });
  expect((await refund(next, agent, spent)).approval).not.toBe(ids[2]);
  expect([...paid()].sort()).toEqual(['g 240', 's 240', 'w 240']);
}, 60_000);
