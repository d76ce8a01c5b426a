import type { AccessRequest, Decision, PolicyEngine, Verdict } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { loadCedar } from './cedar.ts';
import { createCompileForTools } from './compile.ts';
import { compilePolicies } from './engine/compile.ts';
import type { PolicySet } from './revision.ts';
import type { CompiledPolicies } from './types.ts';

/** A decision that was recorded, with the whole question it answered. */
export interface RecordedDecision {
  readonly callId: string;
  readonly timeMs: number;
  readonly effect: 'permit' | 'deny';
  readonly policies: readonly string[];
  /** Revisions of all engines that were asked, joined by blanks. */
  readonly revision: string;
  readonly request: AccessRequest;
}

/** Why a recorded call cannot be decided again. */
export type NotRedecidable =
  /** What it asked for was sealed with a key that was destroyed since. */
  | 'erased'
  /** A decision point outside had a say in it. */
  | 'external'
  /** Nobody knows any more how the tool took its arguments then. */
  | 'unknown-definition';

/** A recorded decision, made again. */
export type Redecided =
  | {
      readonly kind: 'same' | 'allowed' | 'denied';
      readonly policies: readonly string[];
      readonly explanation?: string;
    }
  | { readonly kind: 'not-redecidable'; readonly why: NotRedecidable };

/** How a tool of that definition took its arguments: its input schema. Undefined: nobody knows. */
export type DefinitionOf = (tool: string, definitionHash: string) => JsonObject | undefined;

/**
 * Decides recorded requests by other policies, or by the same: from the request alone, with nothing of today in it. What other
 * engines of the gateway say is asked, too (`others`); none of them may look at anything but the request.
 */
export async function createRedecide(
  set: PolicySet,
  definitionOf: DefinitionOf,
  others: readonly PolicyEngine[] = [],
): Promise<(recorded: RecordedDecision) => Redecided> {
  const compileForTools = set.source.files.length === 0 ? undefined : createCompileForTools(await loadCedar());
  // For each definition of a tool there are policies made for it: those of other tools say nothing of its calls.
  const compiled = new Map<string, CompiledPolicies>();
  const policiesFor = ({ id, definitionHash, type }: AccessRequest['resource']): CompiledPolicies | NotRedecidable => {
    const key = type === 'tool' ? `${id}\0${definitionHash}` : '';
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const schema = type === 'tool' ? definitionOf(id, definitionHash) : {};
    if (schema === undefined) return 'unknown-definition';
    const tools = type === 'tool' ? [{ name: id, inputSchema: schema, definitionHash }] : [];
    const { policies } = compileForTools?.(set.source, tools) ?? { policies: [] };
    const made = compilePolicies({ policies, tools: { inputSchema: () => schema }, settings: set.settings });
    compiled.set(key, made);
    return made;
  };
  return ({ request, effect, revision, policies: decidedBy }) => {
    if (decidedBy.some((id) => id.startsWith('external/'))) return { kind: 'not-redecidable', why: 'external' };
    const policies = policiesFor(request.resource);
    if (typeof policies === 'string') return { kind: 'not-redecidable', why: policies };
    const verdicts = [policies.decide(request), ...others.map((engine) => engine.decide(request))];
    const settled = verdicts.filter((verdict): verdict is Verdict => !(verdict instanceof Promise));
    if (settled.length < verdicts.length) return { kind: 'not-redecidable', why: 'external' };
    const again = compared(effect, settled);
    // Where others denied, nobody wrote down whether a point outside would have denied, too.
    const mayBeDenied = again.kind === 'allowed' && /(?:^| )external\/(?!none(?: |$))/.test(revision);
    return mayBeDenied ? { kind: 'not-redecidable', why: 'external' } : again;
  };
}

function compared(before: Decision['effect'], verdicts: readonly Verdict[]): Redecided {
  const denies = verdicts.filter((verdict) => verdict.effect === 'deny');
  const now: Decision['effect'] = denies.length > 0 ? 'deny' : 'permit';
  const deciding = denies.length > 0 ? denies : verdicts.filter(({ effect }) => effect === 'permit');
  const explanation = denies.find((verdict) => verdict.explanation !== undefined)?.explanation;
  return {
    kind: now === before ? 'same' : now === 'permit' ? 'allowed' : 'denied',
    policies: deciding.flatMap(({ policies }) => policies),
    ...(explanation !== undefined && { explanation }),
  };
}

/** The id of the policy revision in the revisions that a record names. */
export function revisionIdIn(recorded: string): string | undefined {
  return /(?:^| )cedar\/([0-9a-f]{64})(?: |$)/.exec(recorded)?.[1];
}
