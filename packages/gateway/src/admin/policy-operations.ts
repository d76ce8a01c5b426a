import { GatewayError, type PolicyRevision } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { scopesSatisfy } from '../entitlement/scopes.ts';
import { looksAtArguments } from '../policy/looks.ts';
import { changing, type Operation, reading } from './operation.ts';
import type { PolicyDesk } from './policy-desk.ts';
import { explained, type Replay, replay, shadowReport } from './policy-reports.ts';
import * as schemas from './schemas.ts';

/** What the operations on policies lean on. */
export interface PolicyOperationDeps {
  readonly policyDesk: PolicyDesk;
}

const scope = 'admin:policies';
/** Arguments of calls are for fewer eyes than which policies decided. */
const argumentScope = 'admin:arguments';
const mostListed = 200;

const revisionId: JsonObject = {
  type: 'string',
  pattern: '^[0-9a-f]{6,64}$',
  description: 'The id of the revision, or the beginning of it.',
};
const time: JsonObject = { type: 'integer', minimum: 0, description: 'Milliseconds since the epoch.' };
const during: JsonObject = { sinceMs: time, untilMs: time };
const files: JsonObject = {
  type: 'array',
  maxItems: 1_000,
  items: schemas.strictObject({ name: { type: 'string', maxLength: 500 }, text: { type: 'string' } }),
  description: 'Policies as they would be in files.',
};

/** Look at policies, at what they decided and would decide, and go back to earlier ones. */
export function policyOperations({ policyDesk: desk }: PolicyOperationDeps): readonly Operation[] {
  return [list(desk), revisions(desk), show(desk), rollback(desk), explain(desk), replayed(desk), shadow(desk)];
}

function list(desk: PolicyDesk): Operation {
  return {
    tool: reading('policies.list', scope, {
      description:
        'Lists the policies in force, those that tool policies come to as well, and what of them cannot be said.',
      inputSchema: schemas.strictObject({}),
    }),
    handler: async () => {
      const { revision, policies, problems } = desk.current();
      return {
        revision,
        policies: policies.map(({ id, effect, annotations, place, shadow: isShadow }) => ({
          id,
          effect,
          annotations,
          ...(place && { place: placeText(place) }),
          mode: isShadow ? 'shadow' : 'enforced',
        })),
        problems: problems.map((problem) => `${placeText(problem)} ${problem.message}`),
      };
    },
  };
}

function revisions(desk: PolicyDesk): Operation {
  return {
    tool: reading('policies.revisions', scope, {
      description: `Lists what was in force, newest first, at most ${mostListed}: since when, by whom, and what it changed.`,
      inputSchema: schemas.strictObject({}),
    }),
    handler: async () => {
      const { revision: current } = desk.current();
      const history = await desk.history(mostListed);
      const changes = await Promise.all(
        history.map(async ({ atMs, ...change }) => ({
          ...change,
          at: new Date(atMs).toISOString(),
          ...(await difference(desk, change)),
        })),
      );
      return { current, revisions: changes };
    },
  };
}

async function difference(desk: PolicyDesk, change: { readonly revision: string; readonly before?: string }) {
  const textsOf = async (id: string | undefined): Promise<ReadonlyMap<string, string>> => {
    const { files: kept } = id === undefined ? { files: [] } : await desk.find(id);
    return new Map(kept.map(({ name, text }) => [name, text]));
  };
  const [before, after] = await Promise.all([textsOf(change.before), textsOf(change.revision)]);
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const where = (is: (name: string) => boolean): readonly string[] => names.filter(is);
  return {
    added: where((name) => !before.has(name)),
    removed: where((name) => !after.has(name)),
    changed: where((name) => before.has(name) && after.has(name) && before.get(name) !== after.get(name)),
  };
}

function show(desk: PolicyDesk): Operation {
  return {
    tool: reading('policies.revision', scope, {
      description: 'Shows a revision: its files and settings.',
      inputSchema: schemas.strictObject({ revision: revisionId }),
    }),
    handler: async ({ revision }) => {
      const { id, files: kept, settingsText } = await desk.find(String(revision));
      return { id, files: kept.map(({ name, text }) => ({ name, text })), settings: JSON.parse(settingsText) };
    },
  };
}

function rollback(desk: PolicyDesk): Operation {
  return {
    tool: changing('policies.rollback', scope, {
      description:
        'Puts an earlier revision in force, from the next call on. The one that it replaces is not taken in from files again until somebody puts it in force by this.',
      inputSchema: schemas.strictObject(
        { revision: revisionId },
        { reason: { type: 'string', minLength: 1, maxLength: 1000 } },
      ),
      outputSchema: schemas.strictObject({ revision: { type: 'string' }, changed: { type: 'boolean' } }),
      sideEffect: 'destructive',
      idempotent: true,
    }),
    handler: async ({ revision, reason }, { principal }) => {
      const why = reason === undefined ? {} : { reason: String(reason) };
      const inForce = await desk.rollback(String(revision), { by: principal.subject, ...why });
      return { revision: inForce.revision.id, changed: inForce.changed };
    },
  };
}

function explain(desk: PolicyDesk): Operation {
  return {
    tool: reading('policies.explain', scope, {
      description: `Tells why a call was decided as it was: which policies, which attributes, of which revision. Values of arguments take ${argumentScope}.`,
      inputSchema: schemas.strictObject({
        call: {
          type: 'string',
          minLength: 1,
          maxLength: 100,
          description: 'The id of the call: what a refusal names as its decision.',
        },
      }),
    }),
    handler: async ({ call }, { principal }) => {
      const mayReadArguments = scopesSatisfy(principal.scopes, [argumentScope]);
      for await (const opened of desk.decisions({ callId: String(call) })) {
        return explained(desk, opened, { mayReadArguments });
      }
      throw new GatewayError('not_found', { issues: ['/call: no decision of policies is on record for it'] });
    },
  };
}

function replayed(desk: PolicyDesk): Operation {
  return {
    tool: reading('policies.replay', scope, {
      description: `Decides recorded calls again, by a revision, by files, or (with neither) each by the revision that decided it, and tells which would have been allowed or denied differently. Files that look at arguments take ${argumentScope}.`,
      inputSchema: schemas.strictObject({}, { ...during, revision: revisionId, files }),
      timeoutMs: 300_000,
    }),
    handler: async (args, { signal, principal }) => {
      const { revision, files: given, sinceMs, untilMs } = args as unknown as ReplayArguments;
      const against = given === undefined ? revision && (await setOf(desk, revision)) : await desk.read(given);
      // Whoever may ask of every call whether an argument is above this, and then that, knows it soon.
      const asksArguments = given !== undefined && against && looksAtArguments(against.source);
      if (asksArguments && !scopesSatisfy(principal.scopes, [argumentScope]))
        throw new GatewayError('insufficient_scope', { scopes: [argumentScope] });
      const span = { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) };
      const result: Replay = await replay(desk, { span, signal, ...(against && { against }) });
      return result as unknown as JsonObject;
    },
  };
}

interface ReplayArguments {
  readonly revision?: string;
  readonly files?: PolicyRevision['files'];
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

async function setOf(desk: PolicyDesk, id: string) {
  return desk.setOf(await desk.find(id));
}

function shadow(desk: PolicyDesk): Operation {
  return {
    tool: reading('policies.shadow', scope, {
      description: 'Tells what policies that are only tried would have changed, by policy, tool and caller.',
      inputSchema: schemas.strictObject({}, during),
    }),
    handler: async ({ sinceMs, untilMs }) =>
      shadowReport(desk, {
        ...(sinceMs !== undefined && { sinceMs: Number(sinceMs) }),
        ...(untilMs !== undefined && { untilMs: Number(untilMs) }),
      }),
  };
}

function placeText({ file, line, column }: { readonly file: string; readonly line: number; readonly column: number }) {
  return `${file}:${line}:${column}`;
}
