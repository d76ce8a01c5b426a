import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeCatalog } from '@sallyport/testkit';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCedarEngine } from '../authorization/cedar.ts';
import { hasProblems, parsePolicies } from '../policy/source.ts';
import { openState, type State } from '../store/index.ts';
import { createLifetime, type Lifetime } from './lifetime.ts';
import { keepRevisions, type LoadedPolicies } from './revisions.ts';

let folder: string;
let state: State;
let life: Lifetime;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sp-revisions-'));
  state = await openState({ path: join(folder, 'state.db'), nowMs: Date.now });
  life = createLifetime();
});
afterEach(async () => {
  await life.close();
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});

async function loaded(text: string | undefined, isNamed = false): Promise<LoadedPolicies> {
  const source = await parsePolicies(text === undefined ? [] : [{ name: 'policies/a.cedar', text }]);
  if (hasProblems(source)) throw new Error(source.problems[0]?.message);
  return { source, settings: { default: 'scopes', attributes: {} }, isNamed };
}

function keep(first: LoadedPolicies) {
  const engine = createCedarEngine(first, { catalog: () => ({ tools: [] }), onProblems: () => undefined });
  const catalog = { current: () => fakeCatalog([]), onChange: () => () => undefined };
  const { revisions, definitions } = state;
  const log = pino({ level: 'silent' });
  return keepRevisions({ engine, first, revisions, definitions, catalog, by: 'ada', nowMs: Date.now, log, life });
}

const policy = '@id("no") forbid(principal, action, resource);';

it('a folder of policies that is gone is not taken for none, while it runs or at the start', async () => {
  const keeper = await keep(await loaded(policy));
  const gone = await loaded(undefined);
  expect(() => keeper.prepare(gone)).toThrow('bring it back');
  await expect(keep(gone)).rejects.toThrow('bring it back');
  const wanted = await loaded(undefined, true);
  keeper.prepare(wanted)();
  await expect.poll(async () => (await state.revisions.history(2)).length).toBe(2);
  await keep(gone);
});
