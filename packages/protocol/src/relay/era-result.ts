import { metaKeys } from '../mcp.ts';
import { fnv1a } from '../names.ts';
import { type Insertions, removeMembers, spliceMembers } from '../splice.ts';
import { type Member, membersOf, memberText } from '../strict-json.ts';
import { inMembers, isObjectText, stringMember } from './text-rewrite.ts';

/** The methods whose complete results say how long they keep (2026-07-28, caching). */
export const cacheableMethods: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** The most that a result may claim about how long it keeps, and for whom. */
export interface Caching {
  /** Milliseconds. */
  readonly ttlMs: number;
  readonly cacheScope: 'public' | 'private';
}

const uncached: Caching = { ttlMs: 0, cacheScope: 'private' };

/**
 * Makes a result one of 2026-07-28: it says that it is complete, unless it says something else, and how long it keeps if
 * its method is one of the cacheable ones. What is there already is lowered to `most`, never raised; what is absent or
 * cannot be understood is not to be kept at all.
 */
export function toModernResult(method: string, resultText: string, most: Caching = uncached): string {
  const members = membersOf(resultText);
  const resultType = stringMember(resultText, members, 'resultType');
  if (resultType !== undefined && resultType !== 'complete') return resultText;
  const insertions: Record<string, string> = {};
  if (memberText(resultText, members, 'resultType') === undefined) insertions.resultType = '"complete"';
  // Servers of the first revisions could leave it out; clients of the newest cannot read a result without it.
  if (method === 'tools/call' && memberText(resultText, members, 'content') === undefined) insertions.content = '[]';
  if (cacheableMethods.has(method)) Object.assign(insertions, cachingMembers(resultText, members, most));
  return Object.keys(insertions).length === 0 ? resultText : spliceMembers(resultText, insertions);
}

/** What an old client needs besides. */
export interface LegacyResultOptions {
  /** The tool's output schema was wrapped for this client (`legacyToolEntry`), so its structured content is wrapped too. */
  readonly isWrapped?: boolean;
}

/**
 * Makes a result one of 2025-11-25 and before: without what only newer clients know (`resultType`, caching, the reserved
 * `_meta` of 2026-07-28). Everything else is kept. Results that ask back or announce a task have no old form: they are
 * dealt with before.
 */
export function toLegacyResult(method: string, resultText: string, options: LegacyResultOptions = {}): string {
  const isCacheable = cacheableMethods.has(method);
  const stripped = removeMembers(
    resultText,
    (key) => key === 'resultType' || (isCacheable && (key === 'ttlMs' || key === 'cacheScope')),
  );
  const meta = inMembers({ _meta: (text) => removeMembers(text, (key) => modernMeta.has(key)) });
  const legacy = stripped.includes(reservedPrefix) || stripped.includes('\\') ? meta(stripped) : stripped;
  if (method !== 'tools/call') return legacy;
  return inMembers({
    structuredContent: (text) => (options.isWrapped === true || !isObjectText(text) ? `{"result":${text}}` : text),
  })(legacy);
}

const reservedPrefix = '"io.modelcontextprotocol/';

/** Reserved names in `_meta` that came with 2026-07-28. `io.modelcontextprotocol/related-task` is older. */
const modernMeta: ReadonlySet<string> = new Set([
  metaKeys.protocolVersion,
  metaKeys.clientCapabilities,
  metaKeys.clientInfo,
  metaKeys.serverInfo,
  metaKeys.subscriptionId,
  metaKeys.logLevel,
]);

/**
 * Makes the entry of a tool one that old clients take: they refuse a whole list for one output schema that is not of type
 * `object`. Such a schema becomes that of a property `result`, and `toLegacyResult` wraps the content the same way.
 */
export function legacyToolEntry(entryText: string): string {
  if (!needsWrapping(entryText)) return entryText;
  return inMembers({ outputSchema: wrapSchema })(entryText);
}

/** Whether `legacyToolEntry` wraps the output schema of this entry. */
export function needsWrapping(entryText: string): boolean {
  const schema = memberText(entryText, membersOf(entryText), 'outputSchema');
  return schema !== undefined && isObjectText(schema) && stringMember(schema, membersOf(schema), 'type') !== 'object';
}

/**
 * Pointers in it start from its own root: an `$id` keeps them right. Validators keep schemas by their ids, so different
 * schemas need different ones.
 */
function wrapSchema(schemaText: string): string {
  const hasPointers = schemaText.includes('$ref') || schemaText.includes('$dynamicRef') || schemaText.includes('\\u');
  const isRooted = membersOf(schemaText).some(({ key }) => key === '$id');
  const id = `"urn:sallyport:result:${hasPointers ? fnv1a(schemaText).toString(36) : ''}"`;
  const rooted = hasPointers && !isRooted ? spliceMembers(schemaText, { $id: id }) : schemaText;
  return `{"type":"object","properties":{"result":${rooted}},"required":["result"]}`;
}

function cachingMembers(text: string, members: readonly Member[], most: Caching): Insertions {
  const ttlText = memberText(text, members, 'ttlMs');
  const ttl = ttlText === undefined ? 0 : Number(ttlText);
  const ttlMs = Number.isSafeInteger(ttl) && ttl >= 0 ? Math.min(ttl, most.ttlMs) : 0;
  const isPublic = most.cacheScope === 'public' && stringMember(text, members, 'cacheScope') === 'public';
  const cacheScope = isPublic ? 'public' : 'private';
  return {
    // What is right already stays as it was written.
    ...((ttlText === undefined || ttlMs !== ttl) && { ttlMs: String(ttlMs) }),
    ...(stringMember(text, members, 'cacheScope') !== cacheScope && { cacheScope: `"${cacheScope}"` }),
  };
}
