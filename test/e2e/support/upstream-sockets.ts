import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { JsonObject } from '@sallyport/protocol';
import type { CallerTarget } from './upstream-callers.ts';
import { modernRequest } from './upstream-raw.ts';

/** A client of the modern era made of a bare socket, which can be slower than any library lets it. */
export interface SlowClient {
  readonly socket: Socket;
  /** Bytes that came so far; what is not read stays with the operating system. */
  received(): number;
  readonly closed: Promise<unknown>;
}

/** Sends a whole request and reads nothing of the answer until `socket.resume()`. */
export async function askWithoutReading(
  target: CallerTarget,
  params: JsonObject & { readonly name: string },
): Promise<SlowClient> {
  const client = await open(target);
  const withProgress = { ...params };
  const { headers, body } = modernRequest(target, 'tools/call', withProgress);
  const told = JSON.parse(body) as { params: { _meta: Record<string, unknown> } };
  told.params._meta.progressToken = 'slow';
  const text = JSON.stringify(told);
  client.socket.pause();
  client.socket.write(`${headOf(target, headers, text.length)}${text}`);
  return client;
}

/** Announces a body of so many bytes and sends only what is given of it. */
export async function askWithoutWriting(target: CallerTarget, length: number, beginning = '{'): Promise<SlowClient> {
  const client = await open(target);
  const { headers } = modernRequest(target, 'tools/call', { name: 'echo' });
  client.socket.resume();
  client.socket.write(`${headOf(target, headers, length)}${beginning}`);
  return client;
}

async function open({ url }: CallerTarget): Promise<SlowClient> {
  const socket = connect(Number(url.port), url.hostname);
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  await once(socket, 'connect');
  return { socket, received: () => received, closed };
}

function headOf({ url }: CallerTarget, headers: Readonly<Record<string, string>>, length: number): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n${lines.join('')}Content-Length: ${length}\r\n\r\n`;
}
