import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli as runCommand } from '../../packages/cli/src/cli.fixture.ts';
import { startGateway, type TestGateway, writeConfig } from './support/gateway.ts';
import { endAll, repository, temporaryFolder } from './support/program.ts';

/** A bad policy is deployed, calls run, it is rolled back, and what was wrongly allowed is named, call by call. */
let folder: string;
let config: string;
let gateway: TestGateway;
let token: string;
const tool = 'payments.Payments.Refund';
const policyFile = () => join(folder, 'policies/payments.policy.yaml');
const limitedTo = (most: number) => `tool: ${tool}\narguments:\n  amount: { max: ${most} }\nreason: Too much.\n`;

const cli = (...words: readonly string[]) => runCommand([...words, '--config', config]);

async function refund(amount: number) {
  const response = await fetch(new URL('/mcp/call', gateway.mcp), {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ tool, input: { payment: 'pay-7', amount, currency: 'EUR' } }),
  });
  await response.text();
  return { ok: response.status === 200, id: String(response.headers.get('mcp-trace-id')) };
}

/** Writes policies, and waits until a call shows that they are in force. */
async function deploy(most: number): Promise<void> {
  writeFileSync(policyFile(), limitedTo(most));
  const revisionBefore = (await gateway.operate('policies.list')).revision;
  await expect
    .poll(async () => (await gateway.operate('policies.list')).revision, { timeout: 15_000, interval: 100 })
    .not.toBe(revisionBefore);
}

const much = '{ rate: 100000, burst: 100000 }';

beforeAll(async () => {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'policies'));
  writeFileSync(policyFile(), limitedTo(500));
  const service = `  payments: { command: [node, payments.ts], cwd: ${repository}/examples/refund, watch: [] }`;
  const limits = `limits: { denied: ${much}, peer: ${much} }\ntools: { '*': { limit: ${much} } }\naudit: { durability: { writes: process } }`;
  config = writeConfig(folder, `services:\n${service}\n${limits}\n`);
  gateway = await startGateway('run', config, { watch: true });
  token = await gateway.mint('agent', ['*']);
}, 60_000);
afterAll(endAll);

describe('a bad policy that was rolled back', () => {
  const wrong: string[] = [];

  it('let through what it ought not to, for as long as it was in force', async () => {
    expect([(await refund(500)).ok, (await refund(501)).ok]).toEqual([true, false]);
    const [good] = (await gateway.operate('policies.revisions')).revisions;
    await deploy(5000);
    const amounts = Array.from({ length: 1_000 }, (_, index) => (index * 7) % 1_000 || 1);
    for (let at = 0; at < amounts.length; at += 50) {
      const batch = amounts.slice(at, at + 50);
      const answers = await Promise.all(batch.map(refund));
      answers.forEach(({ ok, id }, index) => {
        expect(ok).toBe(true);
        if ((batch[index] ?? 0) > 500) wrong.push(id);
      });
    }
    const { code, out } = await cli('policy', 'rollback', good.revision.slice(0, 12), '--reason', 'a nought too many');
    expect([code, out]).toEqual([0, expect.stringContaining('is in force')]);
    expect((await refund(501)).ok).toBe(false);
  }, 60_000);

  it('is found out by a replay, which names exactly these calls', async () => {
    const { code, out } = await cli(
      'policy',
      'replay',
      '--since',
      '1h',
      '--against',
      join(folder, 'policies'),
      '--json',
    );
    expect(code).toBe(0);
    // The files still say 5000; what is in force says 500.
    expect(JSON.parse(out)).toMatchObject({ denied: 0 });
    const { revision } = await gateway.operate('policies.list');
    const replayed = JSON.parse((await cli('policy', 'replay', '--since', '1h', '--against', revision, '--json')).out);
    expect(replayed).toMatchObject({
      looked: 1_003,
      allowed: 0,
      denied: wrong.length,
      notRedecidable: {},
      isCut: false,
    });
    expect(new Set(replayed.calls.map((call: { call: string }) => call.call))).toEqual(new Set(wrong));
    expect(replayed.by).toEqual([{ tool, subject: 'agent', allowed: 0, denied: wrong.length }]);
  }, 60_000);

  it('and every recorded call is decided the same again by the revision that decided it', async () => {
    const { out } = await cli('policy', 'replay', '--json');
    expect(JSON.parse(out)).toMatchObject({ looked: 1_003, same: 1_003, allowed: 0, denied: 0, notRedecidable: {} });
  }, 60_000);

  it('stays out of force over a restart, although the files still say so; a mended file is taken in', async () => {
    gateway.program.child.kill('SIGTERM');
    await gateway.program.ended;
    gateway = await startGateway('run', config, { watch: true });
    expect((await refund(501)).ok).toBe(false);
    await deploy(600);
    expect([(await refund(600)).ok, (await refund(601)).ok]).toEqual([true, false]);
    const { revisions } = await gateway.operate('policies.revisions');
    expect(revisions.map(({ kind, reason }: any) => [kind, reason])).toEqual([
      ['load', undefined],
      ['rollback', 'a nought too many'],
      ['load', undefined],
      ['load', undefined],
    ]);
    expect(revisions[0]).toMatchObject({ changed: ['policies/payments.policy.yaml'], added: [], removed: [] });
  }, 60_000);

  it('is explained call by call, to its owners, with what was looked at', async () => {
    const { id } = await refund(700);
    const { code, out } = await cli('policy', 'explain', id, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ call: id, tool, outcome: 'refused', reason: 'policy_denied', decidedAgain: 'same' },
      decidedBy: [`payments/${tool}/amount`],
      policies: [
        { id: `payments/${tool}/amount`, effect: 'forbid', place: expect.stringContaining('payments.policy.yaml:3') },
      ],
      attributes: { 'context.arguments.amount': 700 },
    });
    const reader = await gateway.mint('reader', ['admin:policies'], 'person');
    const asReader = await fetch(new URL('/admin/v1/policies.explain', gateway.admin), {
      method: 'POST',
      headers: { Authorization: `Bearer ${reader}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ call: id }),
    });
    expect(await asReader.json()).toMatchObject({ result: { attributes: { 'context.arguments.amount': '(sealed)' } } });
  }, 60_000);

  it('takes what it says of tools with it: a tool is as confidential as the revision in force says', async () => {
    writeFileSync(
      join(folder, 'policies/restricted.cedar'),
      '@id("restricted") forbid(principal, action, resource) when { resource.classification == "restricted" };\n',
    );
    const confidential = (word: string) => writeFileSync(policyFile(), `tool: ${tool}\nclassification: ${word}\n`);
    confidential('restricted');
    await expect.poll(async () => (await refund(1)).ok, { timeout: 15_000, interval: 100 }).toBe(false);
    const { revision } = await gateway.operate('policies.list');
    confidential('internal');
    await expect.poll(async () => (await refund(1)).ok, { timeout: 15_000, interval: 100 }).toBe(true);
    expect((await cli('policy', 'rollback', revision)).code).toBe(0);
    expect((await refund(1)).ok).toBe(false);
  }, 60_000);
});
