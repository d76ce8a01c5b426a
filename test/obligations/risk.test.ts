import type { JsonObject } from '@sallyport/protocol';
import { type Driver, httpModern } from '@sallyport/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bank, openBank } from '../containment/bank.ts';
import { drawKey, startIssuer, type TestIssuer } from '../identity/issuer.ts';

const pay = 'bank.Bank.Pay';
const wipe = 'bank.Bank.Wipe';
const balance = 'bank.Bank.Balance';

let company: TestIssuer;
let bank: Bank;
const drivers: Driver[] = [];

beforeAll(async () => {
  company = await startIssuer([await drawKey('e1')]);
  const issuers = { company: { issuer: company.url } };
  const risk = {
    amounts: [
      {
        tools: '*.Pay',
        argument: '/amount',
        steps: [
          { over: 100, points: 15 },
          { over: 1_000, points: 40 },
        ],
      },
    ],
    thresholds: { approve: 60, secondApprover: 80, secondFactor: 40 },
  };
  bank = await openBank({
    ...{ publicUrl: 'https://gate.example', allowedHosts: ['127.0.0.1'], auth: { issuers } },
    ...{ risk, policy: { environment: 'production' } },
  });
});
afterAll(async () => {
  for (const driver of drivers) await driver.close();
  await bank.close();
  await company.close();
});

const nowS = () => Math.floor(Date.now() / 1_000);

async function caller(claims: JsonObject): Promise<Driver> {
  const token = await company.mint({ aud: 'https://gate.example/mcp', scope: 'bank:use', ...claims });
  const driver = httpModern({ url: bank.url, token });
  drivers.push(driver);
  return driver;
}

const last = () => bank.records.at(-1);

describe('the risk of a call', () => {
  it('is made of what the tool is, where it runs, what is asked for and who never asked before, and is on record', async () => {
    const ada = await caller({ sub: 'ada', amr: ['pwd', 'otp'], auth_time: nowS() });
    await ada.call(pay, { amount: 10 });
    // Writing 10, confidential 10, production 15, never before 15.
    expect(last()).toMatchObject({
      environment: 'production',
      risk: { score: 50, factors: { sideEffect: 10, classification: 10, environment: 15, novelty: 15 } },
    });
    await ada.call(pay, { amount: 500 });
    expect(last()).toMatchObject({ risk: { score: 50, factors: { amount: 15 } } });
    expect(last()?.risk?.factors).not.toHaveProperty('novelty');
    await ada.call(pay, { amount: -5_000 });
    expect(last()).toMatchObject({ risk: { factors: { amount: 40 } } });
    expect(await ada.call(balance)).toMatchObject({ kind: 'answered' });
    expect(last()).toMatchObject({ risk: { score: 35 } });
  });

  it('makes somebody sign in with a second factor, and says how', async () => {
    const cases: readonly [JsonObject, string | undefined][] = [
      [{ amr: ['pwd'], auth_time: nowS() }, 'second_factor_required'],
      [{}, 'second_factor_required'],
      [{ amr: ['pwd', 'otp'], auth_time: nowS() - 16 * 60 }, 'second_factor_required'],
      [{ amr: ['pwd', 'otp'] }, 'second_factor_required'],
      [{ amr: ['pwd', 'otp'], auth_time: nowS() + 3_600 }, 'second_factor_required'],
      [{ amr: { 0: 'otp' }, auth_time: nowS() }, 'second_factor_required'],
      [{ acr: 'phr', auth_time: nowS() }, undefined],
      [{ amr: ['hwk'], auth_time: nowS() - 60 }, undefined],
    ];
    const before = bank.seen.length;
    for (const [claims, reason] of cases) {
      const seen = await (await caller({ sub: 'kim', ...claims })).call(pay);
      expect([claims, seen.reason]).toEqual([claims, reason]);
      if (reason === undefined) continue;
      expect(seen.bytes).toContain('401');
      expect(seen.bytes).toContain('error="insufficient_user_authentication"');
      expect(seen.bytes).toContain('acr_values="urn:sallyport:acr:mfa phr phrh", max_age="900"');
      expect(seen.bytes).toContain('"acrValues":["urn:sallyport:acr:mfa","phr","phrh"],"maxAgeS":900');
      expect(bank.records.at(-1)).toMatchObject({ stage: 'authorize', policies: ['risk'] });
    }
    expect(bank.seen.length - before).toBe(cases.filter(([, reason]) => reason === undefined).length);
  });

  it('has people agree, two of them where it is high', async () => {
    const second = { amr: ['otp'], auth_time: nowS() };
    const lee = await caller({ sub: 'lee', ...second });
    expect(await lee.call(pay)).toMatchObject({ kind: 'answered' });
    expect(await lee.call(wipe)).toMatchObject({ reason: 'suspended' });
    expect(await lee.call(pay, { amount: 2_000 })).toMatchObject({ reason: 'suspended' });
    // Paying 35, and 40 for the amount; wiping 30 and 20 more, 5, 15, and never before 15.
    const { approvals } = (await bank.operate('approvals.list')) as { readonly approvals: readonly JsonObject[] };
    const needs = approvals.slice(0, 2).map(({ tool, needs: wanted }) => [tool, JSON.stringify(wanted)]);
    expect(needs).toEqual([
      [pay, expect.stringContaining('"approvals":1')],
      [wipe, expect.stringContaining('"approvals":2')],
    ]);
    expect(bank.seen).not.toContain('Bank.Wipe');
  });

  it('can be asked for differently while it runs', async () => {
    await bank.reload({ publicUrl: 'https://gate.example', auth: { issuers: { company: { issuer: company.url } } } });
    const max = await caller({ sub: 'max' });
    expect(await max.call(wipe)).toMatchObject({ kind: 'answered' });
    expect(last()?.risk).toBeUndefined();
  });
});
