import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endAll, temporaryFolder } from '../e2e/support/program.ts';
import { noPostgres, type PostgresServer, startPostgres } from '../postgres/server.ts';
import { as, type Refunds, refund, startRefunds } from './support.ts';

describe.skipIf(noPostgres !== undefined)('approvals of two gateways on one PostgreSQL', () => {
  let server: PostgresServer;
  let one: Refunds;
  let other: Refunds;
  let agent: string;
  let eve: string;

  beforeAll(async () => {
    server = await startPostgres();
    const url = await server.createDatabase();
    const limits =
      'limits: { presets: { write: { rate: 1000, burst: 1000 } } }\napprovals: { maxPendingPerTool: 100 }\n';
    const more = `${limits}store: { kind: postgres, url: { env: STATE_DATABASE } }\nmasterKeyFile: ${join(temporaryFolder(), 'master.key')}\n`;
    one = await startRefunds(more, { env: { STATE_DATABASE: url } });
    other = await startRefunds(more, { env: { STATE_DATABASE: url } });
    agent = await one.gateway.mint('bot', ['payments:refund']);
    eve = await one.gateway.mint('eve', ['admin:approvals', 'payments:approve'], 'person');
  });
  afterAll(async () => {
    await endAll();
    if (noPostgres === undefined) await server.close();
  });

  it('are asked for at one, given at the other, and used once at either', async () => {
    for (let round = 0; round < 20; round++) {
      const input = { order: `o${round}`, amount: 240 };
      const asked = await Promise.all([one, other].map(({ gateway }) => refund(gateway, agent, input)));
      expect(asked.map(({ reason }) => reason)).toEqual(['suspended', 'suspended']);
      const [id] = asked.map(({ approval }) => String(approval));
      expect(asked.map(({ approval }) => approval)).toEqual([id, id]);
      expect(await as(other.gateway, eve)('approvals.show', { id: String(id) })).toMatchObject({
        argumentsText: JSON.stringify(input),
      });
      await as(other.gateway, eve)('approvals.approve', { id: String(id) });
      const called = await Promise.all([one, other, one, other].map(({ gateway }) => refund(gateway, agent, input)));
      expect(called.filter(({ status }) => status === 200)).toHaveLength(1);
      expect([...one.paid(), ...other.paid()].filter((line) => line === `o${round} 240`)).toHaveLength(1);
    }
  });

  it('are heard of by who waits at the other one', async () => {
    const asEve = as(one.gateway, eve);
    const { etag } = await asEve('approvals.watch');
    const watched = asEve('approvals.watch', { etag });
    const { approval } = await refund(other.gateway, agent, { order: 'watched', amount: 240 });
    expect((await watched).approvals[0]).toMatchObject({ id: approval, state: 'pending' });
  });
});
