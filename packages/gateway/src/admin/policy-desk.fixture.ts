import pino from 'pino';
import { createCedarEngine } from '../authorization/cedar.ts';
import type { State } from '../store/index.ts';
import { createPolicyDesk, type PolicyDesk } from './policy-desk.ts';

/** A desk of a gateway without policies, and without calls on record. */
export function openTestPolicies({ revisions, definitions }: State, nowMs: () => number): PolicyDesk {
  const source = { files: [], cedar: [], tools: [], revision: '' };
  return createPolicyDesk({
    engine: createCedarEngine(
      { source, settings: { default: 'scopes', attributes: {} } },
      { catalog: () => ({ tools: [] }), onProblems: () => undefined },
    ),
    audit: { find: async () => ({ rows: [] }), open: async () => undefined },
    ...{ problems: () => [], revisions, definitions, nowMs, log: pino({ level: 'silent' }) },
  });
}
