import type { Readable, Writable } from 'node:stream';
import { type Endpoint, GatewayError, type Presented } from '@sallyport/core';
import { createLineSplitter } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { createConnection } from './mcp-connection.ts';

/** Where messages come from and go to. Nothing but messages is ever written to `stdout`. */
export interface StdioOptions {
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Who is on the other end: whoever started this process, usually. */
  readonly presented: Presented;
  /** What is offered; default: everything. */
  readonly endpoint?: Endpoint;
  readonly signal?: AbortSignal;
}

/**
 * Serves MCP over newline-delimited JSON-RPC (2026-07-28, stdio), for programs that embed the gateway. Resolves when the
 * input ends or the signal fires, after what was in flight is answered; or when the reader takes nothing and lets too much wait.
 */
export async function serveStdio(deps: TransportDeps, options: StdioOptions): Promise<void> {
  const { stdin, stdout, presented, endpoint, signal } = options;
  const maxWaitingBytes = deps.maxRequestBytes * 4;
  const left = new AbortController();
  const connection = createConnection(deps, {
    presented,
    origin: { transport: 'stdio', peer: 'local' },
    send: (message) => {
      if (stdout.writableLength > maxWaitingBytes) left.abort();
      else stdout.write(`${message.replace(/[\r\n]+/g, ' ')}\n`);
    },
    onBusy: (isBusy) => (isBusy ? stdin.pause() : stdin.resume()),
    ...(endpoint && { endpoint }),
    ...(signal && { ending: signal }),
  });
  const lines = createLineSplitter(deps.maxRequestBytes, (line) => {
    if (line.trim() !== '') connection.receive(line, Buffer.byteLength(line));
  });
  await new Promise<void>((resolve) => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const finish = (error?: GatewayError): void => {
      stdin.removeAllListeners('data');
      if (error) connection.refuse(error, 0);
      resolve();
    };
    stdin.on('data', (chunk: Buffer | string) => {
      try {
        const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
        // Where the next message starts is not known any more.
        if (!lines.push(text)) finish(new GatewayError('payload_too_large'));
      } catch {
        finish(new GatewayError('malformed_json'));
      }
    });
    stdin.once('end', () => finish());
    stdin.once('error', () => finish());
    for (const ending of [signal, left.signal]) ending?.addEventListener('abort', () => finish(), { once: true });
  });
  // Who reads nothing gets nothing more: its calls would only pile up what nobody takes.
  if (left.signal.aborted) connection.close();
  await connection.settled();
  connection.close();
}
