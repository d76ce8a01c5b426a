import { GatewayError, type JsonText, type OutboundCredential } from '@sallyport/core';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  membersOf,
  memberText,
  type PromptManifest,
  parseUnique,
  type ResourceManifest,
  type ServiceManifest,
  type TemplateManifest,
  type ToolManifest,
} from '@sallyport/protocol';
import { arrayItems } from './array-items.ts';
import type { Conversation, ServerFacts } from './conversation.ts';
import { readDiscovery } from './facts.ts';
import { withoutOwnNames } from './own-names.ts';

const maxPages = 200;
/** A server that lists more of one kind offers nothing: to leave some out silently would be worse. */
const maxEntries = 5_000;
/** Nor may all of its lists together be longer than this, in characters. */
const maxLength = 32 * 1024 * 1024;

/** Whom to ask what it offers. */
export interface ListQuery {
  readonly service: string;
  readonly conversation: Conversation;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
  /** Hears of an entry that is left out because not all readers would read it the same, with its beginning. */
  readonly onUnreadable?: (method: string, beginning: string) => void;
}

/** What a server is, and all that it offers. */
export interface Listed {
  readonly facts: ServerFacts;
  readonly manifest: ServiceManifest;
}

/**
 * Asks a server for everything it offers, page by page, and writes down what it said as a manifest, with each entry as the
 * server wrote it. What the server says of itself is taken over as it is; the registry checks it.
 *
 * @throws GatewayError when it does not answer, or does not end.
 */
export async function listServer(query: ListQuery): Promise<Listed> {
  const facts = await askFacts(query);
  const { capabilities, info, instructions } = facts;
  // Servers that say nothing of themselves may still have tools.
  const isSilent = !('prompts' in capabilities || 'resources' in capabilities);
  const hasTools = 'tools' in capabilities || isSilent;
  const listing: Listing = { ...query, length: 0 };
  const [tools, prompts, resources, templates] = await Promise.all([
    hasTools ? listAll(listing, 'tools/list', 'tools') : [],
    'prompts' in capabilities ? listAll(listing, 'prompts/list', 'prompts') : [],
    'resources' in capabilities ? listAll(listing, 'resources/list', 'resources') : [],
    'resources' in capabilities ? listAll(listing, 'resources/templates/list', 'resourceTemplates') : [],
  ]);
  const manifest = {
    service: query.service,
    version: toVersion(info.version),
    tools: tools.flatMap(toTool),
    ...(prompts.length > 0 && { prompts: prompts.flatMap(toPrompt) }),
    ...(resources.length > 0 && { resources: resources.flatMap(toResource) }),
    ...(templates.length > 0 && { templates: templates.flatMap(toTemplate) }),
    mcp: { capabilities, serverInfo: { ...info }, ...(instructions !== undefined && { instructions }) },
  };
  return { facts, manifest };
}

/** In the legacy era the handshake said it all; a modern server may have become another one since the first time. */
async function askFacts({ conversation, credential, signal }: ListQuery): Promise<ServerFacts> {
  if (conversation.era === 'legacy') return conversation.server;
  const paramsText = '{}' as JsonText;
  const answer = await conversation.request({ method: 'server/discover', paramsText, credential, signal });
  return readDiscovery(answer, conversation.version) ?? conversation.server;
}

interface Entry {
  readonly value: JsonObject;
  readonly entryText: string;
}

interface Listing extends ListQuery {
  /** Characters that the server has said so far. */
  length: number;
}

async function listAll(query: Listing, method: string, member: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const resultText = await listPage(query, method, cursor);
    if (resultText === undefined) return entries;
    query.length += resultText.length;
    if (query.length > maxLength) throw endless(method);
    const members = membersOf(resultText);
    const texts = arrayItems(memberText(resultText, members, member) ?? '[]');
    entries.push(...texts.flatMap((text) => readEntry(query, method, text)));
    if (entries.length > maxEntries) throw endless(method);
    const next = parse(memberText(resultText, members, 'nextCursor') ?? 'null');
    if (typeof next !== 'string') return entries;
    if (cursors.has(next)) throw endless(method);
    cursors.add(next);
    cursor = next;
  }
  throw endless(method);
}

/** The result as text. `undefined`: the server has no such list, whatever it said of its capabilities. */
async function listPage(query: ListQuery, method: string, cursor: string | undefined): Promise<string | undefined> {
  const { conversation, credential, signal } = query;
  const paramsText = JSON.stringify(cursor === undefined ? {} : { cursor }) as JsonText;
  const answer = await conversation.request({ method, paramsText, credential, signal });
  if (answer.kind === 'result') return answer.text;
  // One odd entry must not hide the others: each is read for itself.
  if (answer.unproven !== undefined) return answer.unproven;
  if (answer.code === -32601) return undefined;
  const cause = `it answered ${method} with error ${answer.code}: ${answer.message.slice(0, 500)}`;
  throw new GatewayError('upstream_failed', {}, { cause });
}

function readEntry({ onUnreadable }: ListQuery, method: string, text: string): readonly Entry[] {
  const value = parse(text);
  if (isJsonObject(value)) return [{ value, entryText: withoutOwnNames(text.replaceAll(/[\r\n]/g, ' ')) }];
  onUnreadable?.(method, text.slice(0, 200));
  return [];
}

function parse(text: string): JsonValue | undefined {
  try {
    return parseUnique(text);
  } catch {
    return undefined;
  }
}

function endless(method: string): GatewayError {
  return new GatewayError('upstream_failed', {}, { cause: `what it answers to ${method} does not end` });
}

function toTool({ value, entryText }: Entry): readonly ToolManifest[] {
  const { name, inputSchema, outputSchema, annotations, execution } = value;
  if (typeof name !== 'string' || !isJsonObject(inputSchema)) return [];
  const hints = isJsonObject(annotations) ? annotations : {};
  const { readOnlyHint, destructiveHint, idempotentHint, title: hintTitle } = hints;
  const task = isJsonObject(execution) ? execution.taskSupport : undefined;
  return [
    {
      name,
      ...titled(value.title ?? hintTitle),
      ...described(value, entryText),
      inputSchema,
      ...(isJsonObject(outputSchema) && { outputSchema }),
      ...(readOnlyHint === true && { sideEffect: 'read' as const }),
      ...(readOnlyHint !== true && destructiveHint === true && { sideEffect: 'destructive' as const }),
      ...(idempotentHint === true && { idempotent: true }),
      ...((task === 'optional' || task === 'required') && { task }),
    },
  ];
}

function toPrompt({ value, entryText }: Entry): readonly PromptManifest[] {
  const { name, title, arguments: args } = value;
  if (typeof name !== 'string') return [];
  const known = (Array.isArray(args) ? (args as readonly JsonValue[]) : []).flatMap(toArgument);
  return [{ name, ...titled(title), ...described(value, entryText), ...(known.length > 0 && { arguments: known }) }];
}

function toArgument(value: JsonValue): NonNullable<PromptManifest['arguments']> {
  if (!isJsonObject(value)) return [];
  const { name, description, required } = value;
  if (typeof name !== 'string') return [];
  return [
    {
      name,
      ...titled(value.title),
      ...(typeof description === 'string' && { description }),
      ...(required === true && { required }),
    },
  ];
}

function toResource({ value, entryText }: Entry): readonly ResourceManifest[] {
  const { uri, name, title, mimeType } = value;
  if (typeof uri !== 'string') return [];
  return [
    {
      uri,
      name: typeof name === 'string' ? name : uri,
      ...titled(title),
      ...described(value, entryText),
      ...(typeof mimeType === 'string' && { mimeType }),
    },
  ];
}

function toTemplate({ value, entryText }: Entry): readonly TemplateManifest[] {
  const { uriTemplate, name, title, mimeType } = value;
  if (typeof uriTemplate !== 'string') return [];
  return [
    {
      uriTemplate,
      name: typeof name === 'string' ? name : uriTemplate,
      ...titled(title),
      ...described(value, entryText),
      ...(typeof mimeType === 'string' && { mimeType }),
    },
  ];
}

function titled(title: JsonValue | undefined): { readonly title?: string } {
  return typeof title === 'string' && title !== '' ? { title: title.slice(0, 200) } : {};
}

function described({ description }: JsonObject, entryText: string) {
  return { description: typeof description === 'string' ? description : '', entryText };
}

/** A server may call its version anything; what is no semantic version is kept as build metadata of none. */
function toVersion(text: string): string {
  if (/^\d{1,9}\.\d{1,9}\.\d{1,9}(?:[-+][0-9A-Za-z.+-]+)?$/.test(text)) return text;
  const kept = text.replaceAll(/[^0-9A-Za-z.-]+/g, '-').slice(0, 80);
  return kept === '' ? '0.0.0' : `0.0.0+${kept}`;
}
