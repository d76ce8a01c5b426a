import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Driver, httpModern } from '@sallyport/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bank, openBank } from '../containment/bank.ts';

const policies = `
@id("no-iban") @redact("/structuredContent/iban /structuredContent/cents")
permit(principal, action == Action::"bank.Bank.Balance", resource);

@id("seldom") @limit("2 per 1h")
permit(principal, action == Action::"bank.Bank.Pay", resource);
@id("seldom-in-all") @limit("5 per 1h") @limit_of("all")
permit(principal, action == Action::"bank.Bank.Pay", resource);

@id("careful") @second_factor("15m")
permit(principal, action == Action::"bank.Bank.Hold", resource);

@id("told") @notify("desk")
permit(principal, action == Action::"bank.Bank.Wipe", resource);
`;

let bank: Bank;
const drivers: Driver[] = [];
beforeAll(async () => {
  const write = (folder: string) => writeFileSync(join(folder, 'bank.cedar'), policies);
  bank = await openBank({ policy: { files: ['bank.cedar'] } }, write);
});
afterAll(async () => {
  for (const driver of drivers) await driver.close();
  await bank.close();
});

async function agent(name: string): Promise<Driver> {
  const driver = httpModern({ url: bank.url, token: await bank.mint(name) });
  drivers.push(driver);
  return driver;
}

it('what a policy redacts leaves in no form, and is counted under the policy', async () => {
  const seen = await (await agent('reader')).call('bank.Bank.Balance');
  expect(seen.result).toEqual({ iban: '[redacted]', owner: 'Ada', cents: null });
  expect(seen.bytes).not.toContain('DE02120300000000202051');
  expect(seen.bytes).not.toContain('12345');
  expect(bank.records.at(-1)?.redacted).toEqual({ 'no-iban': 4 });
});

it('what a policy limits is limited for each account, and for all together', async () => {
  const [one, other, third] = [await agent('one'), await agent('other'), await agent('third')];
  const pay = async (who: Driver) => (await who.call('bank.Bank.Pay')).reason ?? 'paid';
  expect([await pay(one), await pay(one), await pay(one)]).toEqual(['paid', 'paid', 'quota_exhausted']);
  expect(bank.records.at(-1)).toMatchObject({ stage: 'budget', reason: 'quota_exhausted' });
  // One that was refused took nothing from the budget of all: three are left in it.
  expect([await pay(other), await pay(other), await pay(third), await pay(third)]).toEqual([
    ...['paid', 'paid', 'paid'],
    'quota_exhausted',
  ]);
});

it('what a policy wants told is told once it has left, and counted', async () => {
  const who = await agent('wiper');
  await who.call('bank.Bank.Wipe', { amount: 'not a number' });
  await who.call('bank.Bank.Wipe');
  const notices = bank.logged.flatMap(({ notice }) => (notice === undefined ? [] : [notice]));
  expect(notices).toEqual([
    {
      ...{ channel: 'desk', policy: 'told', tool: 'bank.Bank.Wipe', service: 'bank' },
      ...{ subject: 'wiper', client: 'token:wiper', fate: 'answered', callId: bank.records.at(-1)?.callId },
    },
  ]);
  const metrics = await fetch(new URL('/metrics', bank.gateway.adminUrl), {
    headers: { authorization: `Bearer ${await bank.mint('scraper', ['admin:read'], 'service')}` },
  });
  expect(await metrics.text()).toMatch(/sallyport_notices_total\{[^}]*policy="told"[^}]*\} 1/);
});

it('what a policy wants a second factor for is refused to whom nobody can ask for one, and stays in his list', async () => {
  const who = await agent('caller');
  expect(await who.call('bank.Bank.Hold', { id: 'x' })).toMatchObject({ reason: 'second_factor_required' });
  expect(bank.records.at(-1)).toMatchObject({ stage: 'authorize', policies: ['careful'] });
  expect((await who.list()).result).toContain('bank.Bank.Hold');
  expect(bank.seen).not.toContain('Bank.Hold');
});
