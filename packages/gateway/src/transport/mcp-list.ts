import type { Capability, Endpoint, Listing, Target, Tool } from '@sallyport/core';
import { type Insertions, legacyToolEntry, metaKeys, needsWrapping } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { type McpAnswer, type McpRequest, unanswered } from './mcp-request.ts';

/** Makes what serves one of MCP's lists. `member` is what the result calls it. */
export function answerList(capability: Capability, member: string): (request: McpRequest) => Promise<McpAnswer> {
  return async (request) => {
    const { deps, exchange, stamp, endpoint } = request;
    const place = { endpoint, capability };
    const cursor = openCursor(deps, place, request.request.params?.cursor);
    if (cursor === undefined) {
      return request.decline('malformed_params', { issues: ['/params/cursor: not one that this gateway gave out'] });
    }
    const outcome = await deps.pipeline.list(request.call({ verb: 'list', capability, limit: deps.pageSize, cursor }));
    if (outcome.kind !== 'answered') return request.refuse(unanswered(outcome));
    const { content } = outcome;
    const entries = content.targets.map((target) => entryOf(request, target));
    const next = content.nextCursor === undefined ? undefined : sealCursor(deps, place, content.nextCursor);
    const members = `"${member}":[${entries.join(',')}]${next === undefined ? '' : `,"nextCursor":${JSON.stringify(next)}`}`;
    return request.answer(stamp.cacheable(members, exchange.callId, staleMeta(content)));
  };
}

/** What a cursor is good for. */
interface Place {
  readonly endpoint: Endpoint;
  readonly capability: Capability;
}

/** A list is read in one go; after so long nobody goes on with it. */
const cursorLifeMs = 24 * 3_600_000;

/** A cursor as callers get it: opaque, and of use only where it was given out. */
export function sealCursor({ sealer, nowMs }: Pick<TransportDeps, 'sealer' | 'nowMs'>, place: Place, after: string) {
  return sealer.seal('cursor', { place: placeKey(place), after }, nowMs() + cursorLifeMs);
}

/** The position of a cursor that a caller brings back; the first one without a cursor; `undefined` for any that is not its. */
export function openCursor({ sealer }: Pick<TransportDeps, 'sealer'>, place: Place, cursor: unknown) {
  if (cursor === undefined || cursor === '') return '';
  const claims = typeof cursor === 'string' ? sealer.open('cursor', cursor) : undefined;
  return claims?.place === placeKey(place) && typeof claims.after === 'string' ? claims.after : undefined;
}

function placeKey({ endpoint, capability }: Place): string {
  return JSON.stringify([endpoint, capability]);
}

/** A service that does not answer must not look like one that has nothing. */
function staleMeta({ stale, absent, services }: Listing): Insertions {
  const away = services.filter(({ state }) => state !== 'ready').map(({ name }) => name);
  const names = [...away, ...absent].sort();
  return stale || names.length > 0 ? { [metaKeys.stale]: JSON.stringify(names) } : {};
}

function entryOf({ deps, endpoint, era }: McpRequest, target: Target): string {
  const text = deps.entryText(target, deps.nameStyle(endpoint));
  if (era === 'modern' || target.capability !== 'tool') return text;
  return remembersWrapped(deps, target) ? legacyToolEntry(text) : text;
}

/** By target: whether legacy clients are told of its output in a wrapping. */
const wrapped = new WeakMap<Target, boolean>();

/** The names of tools that were listed to legacy clients like that: only who was told expects it. */
const wrappedNames = new WeakMap<TransportDeps, Set<string>>();
const maxWrappedNames = 10_000;

function remembersWrapped(deps: TransportDeps, target: Tool): boolean {
  const { outputSchema } = target;
  const isNeeded =
    wrapped.get(target) ?? (outputSchema !== undefined && needsWrapping(JSON.stringify({ outputSchema })));
  wrapped.set(target, isNeeded);
  const names = wrappedNames.get(deps) ?? new Set();
  if (isNeeded) wrappedNames.set(deps, names);
  for (const name of isNeeded || names.size > 0 ? [target.name, target.alias] : []) {
    names.delete(name);
    if (isNeeded && names.size < maxWrappedNames) names.add(name);
  }
  return isNeeded;
}

/** Whether legacy clients were told that this tool's structured content comes in a wrapping (`toLegacyResult`). */
export function isListedWrapped({ deps, endpoint }: Pick<McpRequest, 'deps' | 'endpoint'>, name: string): boolean {
  const names = wrappedNames.get(deps);
  return names?.has(endpoint.kind === 'mount' ? `${endpoint.service}.${name}` : name) === true;
}
