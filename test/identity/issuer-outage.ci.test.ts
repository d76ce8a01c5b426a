import type { JsonObject } from '@sallyport/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Front, openFront } from './front.ts';
import { drawKey, type SigningKey, startIssuer, type TestIssuer } from './issuer.ts';
import { modernCall, sendRaw } from './send.ts';

const publicUrl = 'https://gate.example';
/** How the keys are looked after: often, so that a test sees all of it. */
const keys = { refresh: '400ms', keep: '3s', cooldown: '100ms', timeout: '500ms' };
const callers = 8;

let company: TestIssuer;
let front: Front;
const drawn: SigningKey[] = [];

beforeAll(async () => {
  for (const kid of ['k1', 'k2', 'k3', 'k4', 'forged']) drawn.push(await drawKey(kid));
  company = await startIssuer(drawn.slice(0, 1));
  front = await openFront({ publicUrl, auth: { issuers: { company: { issuer: company.url, keys } } } as JsonObject });
});
afterAll(async () => {
  await Promise.all([front.close(), company.close()]);
});

const key = (index: number): SigningKey => {
  const found = drawn[index];
  if (found === undefined) throw new Error('no such key');
  return found;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function call(token: string): Promise<number> {
  const { headers, body } = modernCall('desk.Desk.Open');
  const authorization = ['Authorization', `Bearer ${token}`] as const;
  const sending = { origin: front.origin, method: 'POST', path: '/mcp', headers: [...headers, authorization] };
  return (await sendRaw({ ...sending, body: JSON.stringify(body) })).status;
}

type Tally = Map<number, number>;

/** Calls from several callers at once until it is stopped: `mint` makes what each call comes with. */
function startLoad(mint: () => Promise<string>): () => Promise<Tally> {
  const tally: Tally = new Map();
  let isOver = false;
  const caller = async (): Promise<void> => {
    while (!isOver) {
      const status = await call(await mint());
      tally.set(status, (tally.get(status) ?? 0) + 1);
    }
  };
  const running = Promise.all(Array.from({ length: callers }, caller));
  return async () => {
    isOver = true;
    await running;
    return tally;
  };
}

/** Tokens that nobody may come in with, at any time. */
const forged = [
  () => company.mint({ aud: publicUrl }, { kid: 'k1' }, key(4)),
  () => company.mint({ aud: publicUrl }, { kid: 'forged' }, key(4)),
  () => company.mint({ aud: 'https://other.example' }),
  () => company.mint({ aud: publicUrl, exp: 1 }),
];
let turn = 0;
const mintForged = () => (forged[turn++ % forged.length] ?? company.mint)();
const mintGood = () => company.mint({ aud: publicUrl });

const statuses = (tally: Tally): readonly number[] => [...tally.keys()].sort();
const total = (tally: Tally): number => [...tally.values()].reduce((sum, one) => sum + one, 0);

describe('under load, with several callers', () => {
  it('keys are replaced three times, the old ones kept for a while: no good call is refused, no bad one let in', async () => {
    const remembered = await mintGood();
    const stops = [startLoad(mintGood), startLoad(async () => remembered), startLoad(mintForged)];
    for (let at = 1; at <= 3; at++) {
      await pause(500);
      // As issuers do: the new key is published first, then signed with, then the old one is taken away.
      company.keys = [key(at - 1), key(at)];
      await pause(900);
      if (at === 1) company.keys = [key(1), key(0)];
      else company.keys = [key(at), key(at - 1)];
    }
    const [good, same, bad] = await Promise.all(stops.map((stop) => stop()));
    expect(statuses(good ?? new Map())).toEqual([200]);
    // Its key went away with the second replacement.
    expect(statuses(same ?? new Map())).toEqual([200, 401]);
    expect(statuses(bad ?? new Map())).toEqual([401]);
    expect(total(good ?? new Map())).toBeGreaterThan(100);
  });

  it('a token of a key that was taken away is refused from then on, while the others go on', async () => {
    company.keys = [key(2), key(3)];
    await pause(900);
    const [old, current] = [
      await company.mint({ aud: publicUrl }, {}, key(2)),
      await company.mint({ aud: publicUrl }, {}, key(3)),
    ];
    expect([await call(old), await call(current)]).toEqual([200, 200]);
    const stop = startLoad(async () => current);
    company.keys = [key(3)];
    // At most twice the time after which keys are looked for anew.
    await expect.poll(() => call(old), { timeout: 2_000, interval: 20 }).toBe(401);
    for (let again = 0; again < 20; again++) expect(await call(old)).toBe(401);
    expect(statuses(await stop())).toEqual([200]);
  });

  it('the issuer is away for a while: who has a good token is let in, who has none is not', async () => {
    const remembered = await mintGood();
    expect(await call(remembered)).toBe(200);
    const stops = [startLoad(async () => remembered), startLoad(mintGood), startLoad(mintForged)];
    company.isDown = true;
    await pause(1_500);
    company.isDown = false;
    await pause(700);
    const [same, fresh, bad] = await Promise.all(stops.map((stop) => stop()));
    expect([statuses(same ?? new Map()), statuses(fresh ?? new Map())]).toEqual([[200], [200]]);
    // Whether an unknown key is one of the issuer's cannot be told then: 503, and never an answer.
    for (const status of statuses(bad ?? new Map())) expect([401, 503]).toContain(status);
  });

  it('the issuer answers nonsense, slowly or nothing at all: its keys stay what they were', async () => {
    const stops = [startLoad(mintGood), startLoad(mintForged)];
    const nonsense: readonly NonNullable<TestIssuer['answer']>[] = [
      (response) => void response.end('{"keys":"none"}'),
      (response) => void response.writeHead(500).end(),
      (response) => void response.end('<html>'),
      () => undefined,
    ];
    for (const answer of nonsense) {
      company.answer = answer;
      await pause(500);
    }
    company.answer = undefined;
    await pause(700);
    const [good, bad] = await Promise.all(stops.map((stop) => stop()));
    expect(statuses(good ?? new Map())).toEqual([200]);
    for (const status of statuses(bad ?? new Map())) expect([401, 503]).toContain(status);
  });

  it('the issuer is away for longer than its keys may be kept: everybody waits, and comes back with it', async () => {
    const remembered = await mintGood();
    expect(await call(remembered)).toBe(200);
    company.isDown = true;
    await expect.poll(() => call(remembered), { timeout: 6_000, interval: 50 }).toBe(503);
    expect([await call(await mintGood()), await call(await company.mint({ aud: publicUrl }, {}, key(4)))]).toEqual([
      503, 503,
    ]);
    company.isDown = false;
    await expect.poll(() => call(remembered), { timeout: 6_000, interval: 50 }).toBe(200);
    expect(await call(await company.mint({ aud: publicUrl }, {}, key(4)))).toBe(401);
  });

  it('nothing bad ever came as far as the service', () => {
    expect(front.seen.every(({ principal }) => principal.subject === 'company:alice')).toBe(true);
    const answered = front.records.filter(({ outcome }) => outcome === 'answered').length;
    expect(front.seen.length).toBe(answered);
  });
});
