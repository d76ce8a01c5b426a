import { type Driver, noAnswer, notHere, type Seen, type SendOptions } from './driver.ts';
import { createHttpClient, replaced } from './http-exchange.ts';
import type { HttpDriverOptions } from './http-mcp.ts';
import { listPages } from './list-pages.ts';
import { readRestAnswer } from './read-answer.ts';

/** The plain JSON face: `GET /mcp/tools` and `POST /mcp/call`. `url` is the MCP endpoint, as for the others. */
export function rest({ url, token, headers: always = {} }: HttpDriverOptions): Driver {
  const client = createHttpClient();
  const common = {
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...always,
  };
  const post = (body: string, options: SendOptions = {}): Promise<Seen> =>
    client
      .send('POST', new URL('/mcp/call', url), { ...options, headers: replaced(common, options.headers), body })
      .then(
        (reply) => readRestAnswer(reply.body, reply.bytes),
        (error: Error) => noAnswer(error.message),
      );

  return {
    name: 'rest',
    takesText: true,
    list: async (what = 'tools') =>
      what !== 'tools'
        ? notHere()
        : listPages(async (cursor) => {
            const page = new URL('/mcp/tools', url);
            if (cursor !== undefined) page.searchParams.set('cursor', cursor);
            const reply = await client
              .send('GET', page, { headers: common })
              .catch((error: Error) => noAnswer(error.message));
            return 'kind' in reply ? reply : { text: reply.body, seen: readRestAnswer(reply.body, reply.bytes) };
          }),
    call(tool, args, options) {
      const text = typeof args === 'string' ? args : JSON.stringify(args);
      return post(`{"tool":${JSON.stringify(tool)}${text === undefined ? '' : `,"input":${text}`}}`, options);
    },
    ask: async () => notHere(),
    raw: post,
    close: async () => client.close(),
  };
}
