import { GatewayError, type OutboundCredential } from '@sallyport/core';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type ServiceManifest,
  type ToolManifest,
} from '@sallyport/protocol';
import type { Greeting } from './mcp-greeting.ts';
import { toGatewayError, toStatusError } from './mcp-message.ts';
import type { Poster } from './mcp-post.ts';

const maxPages = 100;
const maxTools = 2_000;

/** Whom to ask for its tools. */
export interface ToolQuery {
  readonly service: string;
  readonly poster: Poster;
  readonly greeting: Greeting;
  readonly credential: OutboundCredential;
  readonly signal: AbortSignal;
}

/**
 * Asks a server for all its tools, page by page, and writes down what it said as a manifest. What the server says of
 * itself is taken over as it is; the registry checks it.
 *
 * @throws GatewayError when it does not answer, or does not end.
 */
export async function listForeignTools(query: ToolQuery): Promise<ServiceManifest> {
  const { service, greeting } = query;
  const tools: ToolManifest[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const result = await listPage(query, cursor);
    const { nextCursor } = result;
    tools.push(...(Array.isArray(result.tools) ? result.tools : []).flatMap(toTool));
    if (tools.length > maxTools) throw new GatewayError('upstream_failed', {}, { cause: 'it has too many tools' });
    if (typeof nextCursor !== 'string') return { service, version: toVersion(greeting.serverInfo.version), tools };
    cursor = nextCursor;
  }
  throw new GatewayError('upstream_failed', {}, { cause: 'its list of tools does not end' });
}

async function listPage(
  { poster, greeting, credential, signal }: ToolQuery,
  cursor: string | undefined,
): Promise<JsonObject> {
  const params = JSON.stringify(cursor === undefined ? {} : { cursor });
  const { reply, answer } = await poster.request(greeting, { method: 'tools/list', params, credential, signal });
  if (answer === undefined) throw toStatusError(reply.status);
  if (answer.kind === 'error') throw toGatewayError(answer);
  return answer.value;
}

function toTool(value: JsonValue): readonly ToolManifest[] {
  if (!isJsonObject(value)) return [];
  const { name, title, description, inputSchema, outputSchema, annotations } = value;
  if (typeof name !== 'string' || !isJsonObject(inputSchema)) return [];
  const {
    readOnlyHint,
    destructiveHint,
    idempotentHint,
    title: hintTitle,
  } = isJsonObject(annotations) ? annotations : {};
  const shownTitle = typeof title === 'string' ? title : hintTitle;
  return [
    {
      name,
      ...(typeof shownTitle === 'string' && shownTitle !== '' && { title: shownTitle.slice(0, 200) }),
      description: typeof description === 'string' ? description : '',
      inputSchema,
      ...(isJsonObject(outputSchema) && { outputSchema }),
      ...(readOnlyHint === true && { sideEffect: 'read' as const }),
      ...(readOnlyHint !== true && destructiveHint === true && { sideEffect: 'destructive' as const }),
      ...(idempotentHint === true && { idempotent: true }),
    },
  ];
}

/** A server may call its version anything; what is no semantic version is kept as build metadata of none. */
function toVersion(text: string): string {
  if (/^\d{1,9}\.\d{1,9}\.\d{1,9}(?:[-+][0-9A-Za-z.+-]+)?$/.test(text)) return text;
  const kept = text.replaceAll(/[^0-9A-Za-z.-]+/g, '-').slice(0, 80);
  return kept === '' ? '0.0.0' : `0.0.0+${kept}`;
}
