import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Principal } from '@sallyport/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCedar } from '../policy/cedar.ts';
import { openState, type State } from '../store/index.ts';
import { openTestPolicies } from './policy-desk.fixture.ts';
import { policyOperations } from './policy-operations.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-oracle-'));
let state: State;
beforeAll(async () => {
  await loadCedar();
  state = await openState({ path: join(folder, 'state.db'), nowMs: () => 0 });
});
afterAll(async () => {
  await state.close();
  rmSync(folder, { recursive: true });
});

async function replayAs(scopes: readonly string[], file: { readonly name: string; readonly text: string }) {
  const policyDesk = openTestPolicies(state, () => 0);
  const operation = policyOperations({ policyDesk }).find(({ tool }) => tool.name === 'policies.replay');
  const principal = { subject: 'carol', kind: 'person', scopes } as unknown as Principal;
  return operation?.handler({ files: [file] }, { principal, signal: new AbortController().signal } as never);
}

const cedar = (condition: string) => ({
  name: 'mine.cedar',
  text: `@id("guess") forbid(principal, action, resource) when { ${condition} };`,
});
const tool = (more: string) => ({ name: 'mine.policy.yaml', text: `tool: "payments.*"\n${more}\n` });

describe('who may look at policies and not at arguments', () => {
  it.each([
    ['whether one is above a number', cedar('context.arguments.amount > 500')],
    ['whether one is there', cedar('context.arguments has iban')],
    ['how one begins, spelled so that it does not look so', cedar('context["arg\\u{75}ments"]["iban"] like "DE8*"')],
    ['all of them at once', cedar('{ all: context }.all.arguments.amount == 1')],
    ['one in a branch', cedar('if principal.kind == "agent" then context.arguments.amount == 1 else false')],
    ['the same by a tool policy', tool('arguments: { amount: { max: 500 } }')],
    ['the same by when people are asked', tool('approval: { when: { amount: { over: 500 } }, scope: a:b }')],
  ])('cannot ask recorded calls %s, by a replay of files', async (_what, file) => {
    await expect(replayAs(['admin:policies'], file)).rejects.toMatchObject({ reason: 'insufficient_scope' });
    expect(await replayAs(['admin:policies', 'admin:arguments'], file)).toMatchObject({ looked: 0 });
  });

  it.each([
    ['who calls', cedar('principal.kind == "agent"')],
    ['when', tool('windows: { days: mon-fri, zone: Europe/Berlin }')],
  ])('may ask them %s', async (_what, file) => {
    expect(await replayAs(['admin:policies'], file)).toMatchObject({ looked: 0 });
  });
});
