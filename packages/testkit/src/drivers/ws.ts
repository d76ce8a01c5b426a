import { WebSocket } from 'ws';
import { conversation, type Line, type LineEvents } from './conversation.ts';
import { type Driver, defaultTimeoutMs, noAnswer, type Seen, type SessionClient } from './driver.ts';
import type { HttpDriverOptions } from './http-mcp.ts';
import type { Era } from './mcp-text.ts';
import { readRestAnswer } from './read-answer.ts';

/** How a WebSocket driver shows its token, and what it speaks. */
export interface WsDriverOptions extends HttpDriverOptions {
  /** `connection`: with the upgrade. `message`: in the `params` of every message, as browsers have to. */
  readonly tokenIn?: 'connection' | 'message';
  readonly era?: Era;
  /** Begins a session of the old era as this client; `era` is then `legacy`. */
  readonly client?: SessionClient;
}

/** MCP over WebSocket, at `/ws` below the MCP endpoint. `url` is the endpoint, as for the others. */
export function ws(options: WsDriverOptions): Driver {
  const { url, token, headers = {}, tokenIn = 'connection', client } = options;
  const isInMessage = tokenIn === 'message';
  const endpoint = new URL(url);
  endpoint.pathname = `${url.pathname}/ws`;
  endpoint.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const all = { ...headers, ...(token !== undefined && !isInMessage && { authorization: `Bearer ${token}` }) };
  return conversation({
    name: client !== undefined ? 'ws-session' : isInMessage ? 'ws-message-token' : 'ws',
    era: client === undefined ? (options.era ?? 'modern') : 'legacy',
    open: (events) => connect(endpoint, all, events),
    leaves: true,
    ...(client && { client }),
    ...(token !== undefined && isInMessage && { more: [`"_token":${JSON.stringify(token)}`] }),
  });
}

function connect(url: URL, headers: Record<string, string>, events: LineEvents): Promise<Line | Seen> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false, handshakeTimeout: defaultTimeoutMs });
    socket.once('open', () =>
      resolve({
        send: (text) => socket.send(text),
        get isOpen() {
          return socket.readyState === WebSocket.OPEN;
        },
        close: () => socket.terminate(),
      }),
    );
    socket.on('message', (data) => events.onMessage(data.toString()));
    socket.on('error', (error) => resolve(noAnswer(error.message)));
    socket.on('close', (code) => events.onClosed(`closed with ${code}`));
    socket.once('unexpected-response', (request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => {
        resolve(readRestAnswer(body, `HTTP ${response.statusCode}\n${body}`));
        request.destroy();
      });
    });
  });
}
