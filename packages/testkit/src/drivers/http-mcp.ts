import { encodeHeaderValue } from '@sallyport/protocol';
import { type Driver, noAnswer, type Seen, type SendOptions } from './driver.ts';
import { createHttpClient, type HttpReply, replaced } from './http-exchange.ts';
import { cursorMember, listPages } from './list-pages.ts';
import { callText, type Era, modernVersion, requestText } from './mcp-text.ts';
import { readMcpAnswer } from './read-answer.ts';

/** Where a driver goes and what it shows there. */
export interface HttpDriverOptions {
  /** The MCP endpoint, `http://host:port/mcp`. */
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

/** MCP over HTTP as it was with a handshake; the gateway keeps no session, so the driver makes none. */
export function httpLegacy(options: HttpDriverOptions): Driver {
  return httpMcp('legacy', options);
}

function httpMcp(era: Era, { url, token, headers: always = {} }: HttpDriverOptions): Driver {
  const client = createHttpClient();
  const common = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...always,
  };
  const post = async (text: string, mirrored: Record<string, string>, options: SendOptions): Promise<HttpReply> =>
    client.send('POST', url, {
      ...options,
      headers: replaced({ ...common, ...mirrored }, options.headers),
      body: text,
    });
  const ask = (text: string, mirrored: Record<string, string>, options: SendOptions = {}): Promise<Seen> =>
    post(text, mirrored, options).then(
      (reply) => readMcpAnswer(answerIn(reply), reply.bytes),
      (error: Error) => noAnswer(error.message),
    );
  const mirror = (method: string, more: Record<string, string> = {}): Record<string, string> =>
    era === 'legacy' ? {} : { 'mcp-protocol-version': modernVersion, 'mcp-method': method, ...more };

  return {
    name: `http-${era}`,
    takesText: true,
    list: () =>
      listPages(async (cursor) => {
        const { text } = requestText(era, 'tools/list', cursorMember(cursor));
        const reply = await post(text, mirror('tools/list'), {}).catch((error: Error) => noAnswer(error.message));
        if ('kind' in reply) return reply;
        return { text: answerIn(reply), seen: readMcpAnswer(answerIn(reply), reply.bytes) };
      }),
    call(tool, args, options = {}) {
      const params = Object.entries(options.paramHeaders ?? {});
      const mirrored = mirror('tools/call', {
        'mcp-name': encodeHeaderValue(tool),
        ...Object.fromEntries(params.map(([name, value]) => [`mcp-param-${name.toLowerCase()}`, value])),
      });
      return ask(callText(era, tool, { args }).text, mirrored, options);
    },
    raw: (text, options) => ask(text, {}, options),
    close: async () => client.close(),
  };
}

/** The answer is the body, or the last event of a stream. */
function answerIn({ headers, body }: HttpReply): string {
  if (headers['content-type']?.startsWith('text/event-stream') !== true) return body;
  const events = body.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  return events.at(-1)?.slice('data:'.length).trim() ?? '';
}
