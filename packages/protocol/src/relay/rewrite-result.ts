import { type Insertions, spliceMembers } from '../splice.ts';
import { membersOf, memberText } from '../strict-json.ts';
import type { Naming } from './naming.ts';
import {
  eachItem,
  eachMember,
  inMembers,
  inString,
  isObjectText,
  oneOrEach,
  type Rewrite,
  stringMember,
} from './text-rewrite.ts';

/**
 * Renames the URIs in a result on its way out; every other byte stays as the service wrote it. It knows the places where
 * the protocol has URIs of resources: content blocks, contents, list entries, the questions of `input_required`, tasks.
 * What a tool puts into its own text or structure is the tool's.
 *
 * @param resultText The result object of `method`: valid JSON.
 */
export function rewriteResult(naming: Naming, method: string, resultText: string): string {
  if (naming.isIdentity || !mayChange(resultText)) return resultText;
  const { results, anyResult } = rewritesFor(naming);
  return (Object.hasOwn(results, method) ? results[method] : anyResult)?.(resultText) ?? resultText;
}

/** Renames the URIs in the params of a notification on its way out, as `rewriteResult` does. */
export function rewriteNotification(naming: Naming, method: string, paramsText: string): string {
  if (naming.isIdentity || !mayChange(paramsText)) return paramsText;
  const of = rewritesFor(naming);
  if (method === 'notifications/resources/updated') return inMembers({ uri: of.uri })(paramsText);
  if (method === 'notifications/tasks') return of.task(paramsText);
  return paramsText;
}

/**
 * Renames the URIs in the params of a server's question (`sampling/createMessage`), as `rewriteResult` does, and asks for the
 * context of no other service with it.
 */
export function rewriteQuestion(naming: Naming, method: string, paramsText: string): string {
  if (naming.isIdentity || !mayChange(paramsText)) return paramsText;
  return method === 'sampling/createMessage' ? rewritesFor(naming).sampling(paramsText) : paramsText;
}

/** What to change in an entry of a list. */
export interface EntryChanges {
  /** Replaces the member of this name, even where the entry has none. */
  readonly name?: string;
  readonly uri?: string;
  readonly uriTemplate?: string;
  /** Members of `_meta` as JSON text; they replace those of the same name. */
  readonly meta?: Insertions;
  /** Renames the URI of the app that a tool is shown in. */
  readonly naming?: Naming;
}

/** Renames an entry of a list and adds to its `_meta`; every other byte stays as the service wrote it. */
export function rewriteEntry(entryText: string, { meta, naming, ...names }: EntryChanges): string {
  const insertions: Record<string, string> = {};
  for (const [key, value] of Object.entries(names)) if (value !== undefined) insertions[key] = JSON.stringify(value);
  const shown =
    naming === undefined || naming.isIdentity || !mayChange(entryText)
      ? entryText
      : rewritesFor(naming).toolEntry(entryText);
  if (meta !== undefined && Object.keys(meta).length > 0) {
    const before = memberText(shown, membersOf(shown), '_meta') ?? '{}';
    insertions._meta = spliceMembers(isObjectText(before) ? before : '{}', meta);
  }
  return Object.keys(insertions).length === 0 ? shown : spliceMembers(shown, insertions);
}

/**
 * Whether there may be a member that holds a URI, or says whose context to include. Most texts have none, and searching is
 * much faster than scanning. An escaped letter may hide one.
 */
function mayChange(text: string): boolean {
  return (
    text.includes('uri"') ||
    text.includes('Uri"') ||
    text.includes('"uriTemplate"') ||
    text.includes('"includeContext"') ||
    /\\u00[4-7]/.test(text)
  );
}

interface Rewrites {
  readonly uri: Rewrite;
  readonly sampling: Rewrite;
  readonly task: Rewrite;
  readonly toolEntry: Rewrite;
  readonly results: Readonly<Record<string, Rewrite>>;
  /** Results of methods that are not known here: the server may ask back in them too. */
  readonly anyResult: Rewrite;
}

const known = new WeakMap<Naming, Rewrites>();

function rewritesFor(naming: Naming): Rewrites {
  const made = known.get(naming) ?? createRewrites(inString(naming.uriOut));
  known.set(naming, made);
  return made;
}

/** The table: which members of which result hold URIs. */
function createRewrites(uri: Rewrite): Rewrites {
  const block = createBlockRewrite(uri);
  const sampling = inMembers({
    messages: eachItem(inMembers({ content: oneOrEach(block) })),
    // To the client "this server" is the gateway: one service would be told what all the others said.
    includeContext: () => '"none"',
  });
  const questions = eachMember((text) =>
    stringMember(text, membersOf(text), 'method') === 'sampling/createMessage'
      ? inMembers({ params: sampling })(text)
      : text,
  );
  const asking = (members: Readonly<Record<string, Rewrite>>) => inMembers({ ...members, inputRequests: questions });
  const toolResult = { content: eachItem(block) };
  const task = asking({ result: inMembers(toolResult) });
  const toolEntry = inMembers({
    _meta: inMembers({ ui: inMembers({ resourceUri: uri }), 'ui/resourceUri': uri }),
  });
  return {
    uri,
    sampling,
    task,
    toolEntry,
    anyResult: asking({}),
    results: {
      'tools/call': asking(toolResult),
      'tasks/result': asking(toolResult),
      'tasks/get': task,
      'prompts/get': asking({ messages: eachItem(inMembers({ content: oneOrEach(block) })) }),
      'resources/read': asking({ contents: eachItem(inMembers({ uri })) }),
      'resources/list': inMembers({ resources: eachItem(inMembers({ uri })) }),
      'resources/templates/list': inMembers({ resourceTemplates: eachItem(inMembers({ uriTemplate: uri })) }),
      'tools/list': inMembers({ tools: eachItem(toolEntry) }),
    },
  };
}

/** A content block (MCP, content): only those of these types hold the URI of a resource. */
function createBlockRewrite(uri: Rewrite): Rewrite {
  const plain = {
    resource_link: inMembers({ uri }),
    resource: inMembers({ resource: inMembers({ uri }) }),
  };
  // A tool result inside a sampling message has blocks of its own, among them no other tool result.
  return byType({ ...plain, tool_result: inMembers({ content: oneOrEach(byType(plain)) }) });
}

function byType(rewrites: Readonly<Record<string, Rewrite>>): Rewrite {
  return (text) => {
    const type = isObjectText(text) ? stringMember(text, membersOf(text), 'type') : undefined;
    return type !== undefined && Object.hasOwn(rewrites, type) ? (rewrites[type]?.(text) ?? text) : text;
  };
}
