import { type Driver, noAnswer, type Seen, type SendOptions, type SessionClient } from './driver.ts';
import { createHttpClient, type HttpClient, type HttpReply, replaced } from './http-exchange.ts';
import { answerIn, type HttpDriverOptions, postHeaders } from './http-mcp.ts';
import { cursorMember, listPages } from './list-pages.ts';
import {
  callMembers,
  initializedText,
  initializeText,
  legacyVersion,
  listMethods,
  membersText,
  requestText,
} from './mcp-text.ts';
import { answerTo, eventReader, questionIn } from './questions.ts';
import { readMcpAnswer } from './read-answer.ts';

/** A driver that can be told apart by its session. */
export interface SessionDriver extends Driver {
  /** Begins the session unless it has begun: its id, or what came in the place of one. */
  session(): Promise<string | Seen>;
}

/** Where to go, and as what client. */
export interface SessionDriverOptions extends HttpDriverOptions, SessionClient {}

/**
 * MCP 2025-11-25 over HTTP in a session: `initialize` first, then `Mcp-Session-Id` with every message. What the gateway asks
 * in the course of a request is answered by `answer`; without one, it is refused.
 */
export function httpSession(options: SessionDriverOptions): SessionDriver {
  const client = createHttpClient();
  const common = postHeaders(options);
  const { url } = options;
  let begun: Promise<string | Seen> | undefined;

  const session = async (): Promise<string | Seen> => {
    begun ??= begin(client, { ...options, headers: common });
    const id = await begun;
    if (typeof id !== 'string') begun = undefined;
    return id;
  };
  const post = async (text: string, sendOptions: SendOptions = {}): Promise<HttpReply | Seen> => {
    const id = await session();
    if (typeof id !== 'string') return id;
    const headers = { ...common, 'mcp-session-id': id, 'mcp-protocol-version': legacyVersion };
    const onText = eventReader((message) => {
      sendOptions.onMessage?.(message);
      const question = questionIn(message);
      const reply = question && answerTo(options, question);
      void reply?.then((body) => client.send('POST', url, { headers, body })).catch(() => undefined);
    });
    return client
      .send('POST', url, { ...sendOptions, headers: replaced(headers, sendOptions.headers), body: text, onText })
      .catch((error: Error) => noAnswer(error.message));
  };
  const see = async (text: string, sendOptions?: SendOptions): Promise<Seen> => seenIn(await post(text, sendOptions));

  return {
    ...{ name: 'http-session', takesText: true, session },
    list: (what = 'tools') =>
      listPages(async (cursor) => {
        const { text } = requestText('legacy', { method: listMethods[what], members: cursorMember(cursor) });
        const reply = await post(text);
        return 'kind' in reply ? reply : { text: answerIn(reply), seen: seenIn(reply) };
      }),
    call: (tool, args, sendOptions) =>
      see(requestText('legacy', { method: 'tools/call', members: callMembers(tool, args) }).text, sendOptions),
    ask: (method, params = {}, sendOptions = {}) =>
      see(requestText('legacy', { method, members: membersText(params) }).text, sendOptions),
    raw: see,
    close: async () => client.close(),
  };
}

function seenIn(reply: HttpReply | Seen): Seen {
  return 'kind' in reply ? reply : readMcpAnswer(answerIn(reply), reply.bytes);
}

async function begin(
  client: HttpClient,
  { url, headers = {}, capabilities = {} }: SessionDriverOptions,
): Promise<string | Seen> {
  try {
    const reply = await client.send('POST', url, { headers, body: initializeText(capabilities).text });
    const id = reply.headers['mcp-session-id'];
    if (typeof id !== 'string') return seenIn(reply);
    const inSession = { ...headers, 'mcp-session-id': id, 'mcp-protocol-version': legacyVersion };
    await client.send('POST', url, { headers: inSession, body: initializedText });
    return id;
  } catch (error) {
    return noAnswer(error instanceof Error ? error.message : String(error));
  }
}
