import { afterEach, describe, expect, it } from 'vitest';
import { endAll } from './support/program.ts';
import { countNoted } from './support/upstream-ledger.ts';
import { answerTo, askModern } from './support/upstream-raw.ts';
import { startReplica } from './support/upstream-replica.ts';
import { startFaultWorld } from './support/upstream-world.ts';

afterEach(endAll);

/** A question that a server has asked through one of two gateways that share their master key. */
async function ask(kind: 'first' | 'second') {
  const world = await startFaultWorld(kind);
  const here = { url: world.mount, token: world.token };
  const there = await startReplica(world);
  const params = { name: 'ask', arguments: { nonce: crypto.randomUUID() } };
  const { result = {} } = await askModern(here, 'tools/call', params);
  expect(result).toMatchObject({ resultType: 'input_required' });
  return { world, here, there, params, answer: answerTo(result, params) };
}

describe('the answer to a question, at another gateway with the same key', () => {
  it('is refused clearly where the call waits in the first one, which still takes it', async () => {
    const { world, here, there, params, answer } = await ask('first');
    expect(await askModern(there, 'tools/call', answer)).toMatchObject({ status: 409, reason: 'parked_elsewhere' });
    expect(countNoted(world.upstream.ledger, 'done').size).toBe(0);
    const done = await askModern(here, 'tools/call', answer);
    expect(done.result).toMatchObject({ content: [{ text: `${params.arguments.nonce} {"ok":true}` }] });
    expect(countNoted(world.upstream.ledger, 'done').get(params.arguments.nonce)).toBe(1);
  });

  it('is as good as at the first one where nothing waits', async () => {
    const { world, there, params, answer } = await ask('second');
    const done = await askModern(there, 'tools/call', answer);
    expect(done.result).toMatchObject({ content: [{ text: `${params.arguments.nonce} {"ok":true}` }] });
    expect(countNoted(world.upstream.ledger, 'done').get(params.arguments.nonce)).toBe(1);
  });

  it.each(['first', 'second'] as const)('is refused for another call than it was asked for (%s)', async (kind) => {
    const { world, there, answer } = await ask(kind);
    const other = { ...answer, arguments: { nonce: 'another' } };
    expect(await askModern(there, 'tools/call', other)).toMatchObject({ reason: 'state_invalid' });
    expect(countNoted(world.upstream.ledger, 'done').size).toBe(0);
  });
});
