import { searchAudit } from '@sallyport/gateway';
import { afterEach, expect, it } from 'vitest';
import { callOnce } from './support/load.ts';
import { endAll } from './support/program.ts';
import { createSite } from './support/site.ts';

afterEach(endAll);

it('a gateway that ends writes down what it had only counted', async () => {
  const gateway = await createSite(['one']).startGateway();
  for (let i = 0; i < 30; i++) await callOnce({ mcp: gateway.mcp, token: 'nobody', tool: 'one.Trial.Who' });
  gateway.program.kill('SIGTERM');
  expect(await gateway.program.ended).toBe(0);
  const rows = (await searchAudit(`${gateway.data}/audit.db`)).map(({ record }) => record);
  const told = rows.reduce((sum, record) => sum + (record.kind === 'refusals' ? record.count : 1), 0);
  expect(told).toBe(30);
});
