import { GatewayError, type JsonText, type OutboundCredential } from '@sallyport/core';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  membersOf,
  memberText,
  type PromptManifest,
  type ResourceManifest,
  type ServiceManifest,
  type TemplateManifest,
  type ToolManifest,
} from '@sallyport/protocol';
import { arrayItems } from './array-items.ts';
import type { Conversation, ServerAnswer } from './conversation.ts';

const maxPages = 200;
/** A server that lists more of one kind offers nothing: to leave some out silently would be worse. */
const maxEntries = 5_000;

/** Whom to ask what it offers. */
export interface ListQuery {
  readonly service: string;
  readonly conversation: Conversation;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
}

/**
 * Asks a server for everything it offers, page by page, and writes down what it said as a manifest, with each entry as the
 * server wrote it. What the server says of itself is taken over as it is; the registry checks it.
 *
 * @throws GatewayError when it does not answer, or does not end.
 */
export async function listServer(query: ListQuery): Promise<ServiceManifest> {
  const { service, conversation } = query;
  const { capabilities, info, instructions } = conversation.server;
  // Servers that say nothing of themselves may still have tools.
  const isSilent = !('prompts' in capabilities || 'resources' in capabilities);
  const hasTools = 'tools' in capabilities || isSilent;
  const [tools, prompts, resources, templates] = await Promise.all([
    hasTools ? listAll(query, 'tools/list', 'tools') : [],
    'prompts' in capabilities ? listAll(query, 'prompts/list', 'prompts') : [],
    'resources' in capabilities ? listAll(query, 'resources/list', 'resources') : [],
    'resources' in capabilities ? listAll(query, 'resources/templates/list', 'resourceTemplates') : [],
  ]);
  return {
    service,
    version: toVersion(info.version),
    tools: tools.flatMap(toTool),
    ...(prompts.length > 0 && { prompts: prompts.flatMap(toPrompt) }),
    ...(resources.length > 0 && { resources: resources.flatMap(toResource) }),
    ...(templates.length > 0 && { templates: templates.flatMap(toTemplate) }),
    mcp: { capabilities, serverInfo: { ...info }, ...(instructions !== undefined && { instructions }) },
  };
}

interface Entry {
  readonly value: JsonObject;
  readonly entryText: string;
}

async function listAll(query: ListQuery, method: string, member: string): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const answer = await listPage(query, method, cursor);
    if (answer === undefined) return entries;
    entries.push(...readEntries(answer, member));
    const { nextCursor } = answer.value;
    if (entries.length > maxEntries) throw endless(method);
    if (typeof nextCursor !== 'string') return entries;
    cursor = nextCursor;
  }
  throw endless(method);
}

type Page = Extract<ServerAnswer, { kind: 'result' }>;

/** `undefined`: the server has no such list, whatever it said of its capabilities. */
async function listPage(query: ListQuery, method: string, cursor: string | undefined): Promise<Page | undefined> {
  const { conversation, credential, signal } = query;
  const paramsText = JSON.stringify(cursor === undefined ? {} : { cursor }) as JsonText;
  const answer = await conversation.request({ method, paramsText, credential, signal });
  if (answer.kind === 'result') return answer;
  if (answer.code === -32601) return undefined;
  const cause = `it answered ${method} with error ${answer.code}: ${answer.message.slice(0, 500)}`;
  throw new GatewayError('upstream_failed', {}, { cause });
}

function readEntries({ text, value }: Page, member: string): readonly Entry[] {
  const list = value[member];
  if (!Array.isArray(list)) return [];
  const texts = arrayItems(memberText(text, membersOf(text), member) ?? '[]');
  return (list as readonly JsonValue[]).flatMap((entry, i) => {
    const entryText = texts[i];
    return isJsonObject(entry) && entryText !== undefined ? [{ value: entry, entryText }] : [];
  });
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
