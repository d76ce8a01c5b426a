import { type Driver, noAnswer, type Seen, type SendOptions } from './driver.ts';
import { createHttpClient, replaced } from './http-exchange.ts';
import type { HttpDriverOptions } from './http-mcp.ts';
import { nextCursorOf, readRestAnswer } from './read-answer.ts';

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
    async list() {
      const names: string[] = [];
      let cursor: string | undefined;
      for (;;) {
        const page = new URL('/mcp/tools', url);
        if (cursor !== undefined) page.searchParams.set('cursor', cursor);
        const reply = await client.send('GET', page, { headers: common }).catch((error: Error) => error);
        if (reply instanceof Error) return noAnswer(reply.message);
        const seen = readRestAnswer(reply.body, reply.bytes);
        if (!Array.isArray(seen.result)) return seen;
        names.push(...(seen.result as string[]));
        cursor = nextCursorOf(reply.body);
        if (cursor === undefined) return { ...seen, result: names };
      }
    },
    call(tool, args, options) {
      const text = typeof args === 'string' ? args : JSON.stringify(args);
      return post(`{"tool":${JSON.stringify(tool)}${text === undefined ? '' : `,"input":${text}`}}`, options);
    },
    raw: post,
    close: async () => client.close(),
  };
}
