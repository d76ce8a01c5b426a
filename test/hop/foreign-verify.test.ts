import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStatedWorld, type StatedWorld } from './stated-world.ts';

let world: StatedWorld;

beforeAll(async () => {
  world = await openStatedWorld();
  Object.assign(process.env, { KEYS_URL: world.keysUrl, SERVICE: 'thief' });
});
afterAll(() => world.close());

describe('a server that was not written for the gateway', () => {
  it('checks a statement with what the documentation shows', async () => {
    const { callerOf } = await import('./foreign-verify.ts');
    await world.call('thief.Account.Pay', { amount: 5 });
    const { method, headers, body } = world.taps('thief').at(-1) ?? { method: '', headers: {}, body: '' };
    const statement = String(headers['sallyport-assertion']);
    await expect(callerOf(method, statement, body.replace('5', '6'))).rejects.toThrow(/another request/);
    expect(await callerOf(method, statement, body)).toMatchObject({
      ...{ iss: 'https://gate.example', aud: 'thief', sub: 'run', kind: 'agent', scope: '*' },
      ...{ method: 'tools/call', target: 'Account.Pay', htm: 'POST' },
    });
    await expect(callerOf(method, statement, body)).rejects.toThrow(/another request/);
    const elsewhere = await world.steal('bank.Account.Pay', { amount: 5 });
    const other = String(elsewhere.headers['sallyport-assertion']);
    await expect(callerOf(elsewhere.method, other, elsewhere.body)).rejects.toThrow(/aud/);
  });

  it('is shown exactly that', () => {
    const shown = readFileSync(join(import.meta.dirname, 'foreign-verify.ts'), 'utf8');
    expect(readFileSync(join(import.meta.dirname, '../../docs/hops.md'), 'utf8')).toContain(`\`\`\`ts\n${shown}\`\`\``);
  });
});
