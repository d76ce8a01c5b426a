import { connect } from 'node:net';

/** One HTTP request as bytes, and how to send it: over how many connections, for how long at most. */
export interface Load {
  readonly port: number;
  readonly request: Buffer;
  readonly connections: number;
  readonly durationMs: number;
  /** Stops after so many answers even if time is left: no load is unbounded. */
  readonly maxRequests: number;
}

/** What came of a load. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers whose status was not the wanted one. */
  readonly wrong: number;
}

/** Writes an HTTP/1.1 request with a JSON body. */
export function jsonRequest(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/**
 * Sends a request again and again over keep-alive connections, one at a time on each. A small client of its own: a
 * general one costs more CPU than the servers measured here.
 */
export async function runLoad(load: Load): Promise<LoadResult> {
  const started = performance.now();
  const until = started + load.durationMs;
  const latencies: number[] = [];
  let wrong = 0;
  let budget = load.maxRequests;

  const client = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true });
      let pending: Buffer = Buffer.alloc(0);
      let sentAt = 0;
      const send = () => {
        if (performance.now() >= until || budget-- <= 0) {
          socket.destroy();
          resolve();
          return;
        }
        sentAt = performance.now();
        socket.write(load.request);
      };
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('close', () => resolve());
      socket.on('data', (chunk: Buffer) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        const length = answerLength(pending);
        if (length === undefined || pending.length < length) return;
        if (pending.subarray(9, 12).toString('latin1') !== '200') wrong++;
        pending = pending.subarray(length);
        latencies.push(performance.now() - sentAt);
        send();
      });
    });

  await Promise.all(Array.from({ length: load.connections }, client));
  const seconds = (performance.now() - started) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    requests: latencies.length,
    seconds,
    perSecond: latencies.length / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    wrong,
  };
}

/** The middle value; of an even number of values the lower one of the two. */
export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** How long the first answer in the bytes is, once all of it is there. */
function answerLength(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const match = /content-length: *(\d+)/i.exec(bytes.subarray(0, headEnd).toString('latin1'));
  if (match?.[1] !== undefined) return headEnd + 4 + Number(match[1]);
  const chunkedEnd = bytes.indexOf('\r\n0\r\n\r\n', headEnd);
  return chunkedEnd < 0 ? undefined : chunkedEnd + 7;
}
