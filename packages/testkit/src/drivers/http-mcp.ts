import type { JsonObject } from '@sallyport/protocol';
import { type Driver, type Listable, noAnswer, type Seen, type SendOptions } from './driver.ts';
import { createHttpClient, type HttpReply, replaced } from './http-exchange.ts';
import { cursorMember, listPages } from './list-pages.ts';
import {
  callMembers,
  type Era,
  listMethods,
  membersText,
  mirroredName,
  modernVersion,
  type RequestParts,
  requestText,
} from './mcp-text.ts';
import { eventReader } from './questions.ts';
import { readMcpAnswer } from './read-answer.ts';

/** Where a driver goes and what it shows there. */
export interface HttpDriverOptions {
  /** The MCP endpoint: `http://host:port/mcp`, a mount or a view below it. */
  readonly url: URL;
  /** Without one, nothing is presented. */
  readonly token?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** MCP 2026-07-28 over HTTP: every request describes itself, and headers mirror it. */
export function httpModern(options: HttpDriverOptions): Driver {
  return httpMcp('modern', options);
}

/** MCP over HTTP from a client that knows neither sessions nor revisions: every request stands alone. */
export function httpLegacy(options: HttpDriverOptions): Driver {
  return httpMcp('legacy', options);
}

/** The headers of every request that posts a message. */
export function postHeaders({ token, headers = {} }: HttpDriverOptions): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...headers,
  };
}

/** The answer is the body, or the last event of a stream. */
export function answerIn({ headers, body }: Pick<HttpReply, 'headers' | 'body'>): string {
  if (headers['content-type']?.startsWith('text/event-stream') !== true) return body;
  const events = body.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  return events.at(-1)?.slice('data:'.length).trim() ?? '';
}

/** A request, the names in it that headers mirror, and how to send it. */
interface Sending extends RequestParts {
  readonly mirrored?: JsonObject;
  readonly options?: SendOptions;
}

function httpMcp(era: Era, driverOptions: HttpDriverOptions): Driver {
  const client = createHttpClient();
  const common = postHeaders(driverOptions);
  const post = (text: string, mirrored: Readonly<Record<string, string>>, options: SendOptions): Promise<HttpReply> =>
    client.send('POST', driverOptions.url, {
      ...options,
      headers: replaced({ ...common, ...mirrored }, options.headers),
      body: text,
      ...(options.onMessage && { onText: eventReader(options.onMessage) }),
    });
  const send = ({ mirrored = {}, options = {}, ...parts }: Sending): Promise<HttpReply> => {
    const { text } = requestText(era, { ...parts, capabilities: options.capabilities });
    return post(text, era === 'legacy' ? {} : mirror(parts.method, mirrored, options), options);
  };

  return {
    name: `http-${era}`,
    takesText: true,
    list: (what: Listable = 'tools') =>
      listPages(async (cursor) => {
        const reply = await send({ method: listMethods[what], members: cursorMember(cursor) }).catch(failed);
        return 'kind' in reply ? reply : { text: answerIn(reply), seen: seenIn(reply) };
      }),
    call: (tool, args, options = {}) => {
      const members = callMembers(tool, args);
      return send({ method: 'tools/call', members, mirrored: { name: tool }, options }).then(seenIn, failed);
    },
    ask: (method, params = {}, options = {}) =>
      send({ method, members: membersText(params), mirrored: params, options }).then(seenIn, failed),
    raw: (text, options = {}) => post(text, {}, options).then(seenIn, failed),
    close: async () => client.close(),
  };
}

/** The headers that mirror a modern request (MCP 2026-07-28, Streamable HTTP). */
function mirror(method: string, params: JsonObject, { paramHeaders = {} }: SendOptions): Record<string, string> {
  const named = Object.entries(paramHeaders).map(([name, value]) => [`mcp-param-${name.toLowerCase()}`, value]);
  return {
    'mcp-protocol-version': modernVersion,
    'mcp-method': method,
    ...mirroredName(method, params),
    ...Object.fromEntries(named),
  };
}

function seenIn(reply: HttpReply): Seen {
  return readMcpAnswer(answerIn(reply), reply.bytes);
}

function failed(error: Error): Seen {
  return noAnswer(error.message);
}
