import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Row } from './compare.ts';

/** Stands before a gateway and knows a token. */
export interface Injector {
  /** Where to reach what is behind it. */
  readonly url: string;
  /** What became of requests without a token, one check for all of them. */
  check(): Row;
  close(): Promise<void>;
}

/**
 * Passes requests on as they are, Host and Origin included, and adds a token, which the suite has no option for. The
 * first request of each connection goes out without one first: it has to be refused with 401 and a challenge.
 */
export async function startInjector(target: URL, token: string): Promise<Injector> {
  const asked = new WeakSet<object>();
  const refusals: number[] = [];
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await bodyOf(incoming);
    const host = incoming.headers.host ?? '';
    if (!asked.has(incoming.socket) && host.startsWith('127.0.0.1:')) {
      asked.add(incoming.socket);
      refusals.push(await statusWithoutToken(target, incoming, body));
    }
    const headers = [...incoming.rawHeaders, 'Authorization', `Bearer ${token}`];
    const upstream = httpRequest(target, { method: incoming.method ?? 'GET', headers: withLength(headers, body) });
    outgoing.on('close', () => upstream.destroy());
    upstream.on('error', () => outgoing.destroy());
    upstream.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
      outgoing.flushHeaders();
      response.pipe(outgoing);
      response.on('error', () => outgoing.destroy());
    });
    upstream.end(body);
  };
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${target.pathname}`,
    check() {
      const wrong = refusals.filter((status) => status !== 401);
      const isRight = refusals.length > 0 && wrong.length === 0;
      const message = `${refusals.length} requests without a token, other answers than 401: ${wrong.join(', ') || 'none'}`;
      return { scenario: '(without a token)', check: '401', status: isRight ? 'SUCCESS' : 'FAILURE', message };
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What was sent in chunks arrives with a length: the body is whole by now. */
function withLength(headers: readonly string[], body: Buffer): string[] {
  const pairs = headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? ''] as const] : []));
  const kept = pairs.filter(([name]) => !/^(transfer-encoding|content-length)$/i.test(name));
  return [...kept.flat(), ...(body.length > 0 ? ['Content-Length', String(body.length)] : [])];
}

function statusWithoutToken(target: URL, incoming: IncomingMessage, body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const method = incoming.method ?? 'GET';
    const bare = httpRequest(target, { method, headers: withLength(incoming.rawHeaders, body), agent: false });
    bare.on('error', () => resolve(0));
    bare.on('response', (response) => {
      response.resume();
      const challenged = response.headers['www-authenticate'] !== undefined;
      response.on('close', () => resolve(response.statusCode === 401 && !challenged ? 0 : (response.statusCode ?? 0)));
      if (response.statusCode !== 401) response.destroy();
    });
    bare.end(body);
  });
}
