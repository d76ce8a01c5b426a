import { Agent, type IncomingHttpHeaders, request as openRequest } from 'node:http';
import { defaultTimeoutMs, type SendOptions } from './driver.ts';

/** One HTTP answer as it came. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Status, headers in their order of names, and body. */
  readonly bytes: string;
}

/** A client that sends what it is told, also what `fetch` forbids. */
export interface HttpClient {
  /** @throws Error when there is no whole answer in time; its message says why. */
  send(method: string, url: URL, message: HttpMessage): Promise<HttpReply>;
  close(): void;
}

/** What is sent. */
export interface HttpMessage extends Pick<SendOptions, 'timeoutMs' | 'signal'> {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Hears each piece of the body of the answer as it comes. */
  readonly onText?: (text: string) => void;
}

const maxReplyBytes = 64 * 1024 * 1024;

/** Headers with others in their place; an empty text removes one. */
export function replaced(
  headers: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries({ ...headers, ...others }).filter(([name]) => others[name] !== ''));
}

/** Makes a client that keeps its connections. */
export function createHttpClient(): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  return {
    send: (method, url, message) => exchange(agent, { method, url, message }),
    close: () => agent.destroy(),
  };
}

interface Sending {
  readonly method: string;
  readonly url: URL;
  readonly message: HttpMessage;
}

function exchange(agent: Agent, { method, url, message }: Sending): Promise<HttpReply> {
  const { body, headers, timeoutMs = defaultTimeoutMs, signal, onText } = message;
  return new Promise((resolve, reject) => {
    const request = openRequest(url, { method, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      const decoder = new TextDecoder();
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxReplyBytes) request.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
        onText?.(decoder.decode(chunk, { stream: true }));
      });
      response.once('error', reject);
      response.once('end', () => resolve(toReply(response.statusCode ?? 0, response.headers, chunks)));
    });
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), timeoutMs);
    const leave = (): void => void request.destroy(new Error('the caller went away'));
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted) leave();
    request.once('error', reject);
    request.once('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    });
    request.end(body);
  });
}

const perConnection: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding']);

function toReply(status: number, headers: IncomingHttpHeaders, chunks: readonly Buffer[]): HttpReply {
  const body = Buffer.concat(chunks).toString('utf8');
  const lines = Object.entries(headers)
    .filter(([name]) => !perConnection.has(name))
    .map(([name, value]) => `${name}: ${String(value)}`)
    .sort();
  return { status, headers, body, bytes: [`HTTP ${status}`, ...lines, '', body].join('\n') };
}
