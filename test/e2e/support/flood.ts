import { connect, type Socket } from 'node:net';
import { pause } from './program.ts';

/** What is sent, how often, and how fast. */
export interface FloodOptions {
  readonly url: URL;
  readonly count: number;
  /** Requests a second; absent: as fast as they are answered. */
  readonly rate?: number;
  readonly connections?: number;
  /** The whole request as text, by its number. */
  readonly request: (index: number) => string;
}

/** What came back: how many answers of each status. */
export type FloodTally = Readonly<Record<string, number>>;

const batch = 8;

/** Sends many requests over few connections, several at once on each, with as little work on this side as can be. */
export async function flood(options: FloodOptions): Promise<FloodTally> {
  const { url, count, rate, connections = 8 } = options;
  const tally: Record<string, number> = {};
  const startMs = performance.now();
  let sent = 0;
  const next = async (): Promise<string> => {
    if (rate !== undefined) await pause(Math.max(0, startMs + (sent / rate) * 1_000 - performance.now()));
    const texts: string[] = [];
    for (; texts.length < batch && sent < count; sent++) texts.push(options.request(sent));
    return texts.length === 0 ? '' : texts.join('');
  };
  await Promise.all(Array.from({ length: connections }, () => oneConnection(url, { next, tally })));
  return tally;
}

interface Connection {
  readonly next: () => Promise<string>;
  readonly tally: Record<string, number>;
}

async function oneConnection(url: URL, { next, tally }: Connection): Promise<void> {
  const socket = connect(Number(url.port), url.hostname);
  socket.setEncoding('latin1').setNoDelay(true);
  try {
    for (let text = await next(); text !== ''; text = await next()) {
      socket.write(text);
      await answers(socket, Math.min(batch, text.split(' HTTP/1.1\r\n').length - 1), tally);
    }
  } finally {
    socket.destroy();
  }
}

/** Counts status lines until there are as many as asked for. */
function answers(socket: Socket, wanted: number, tally: Record<string, number>): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = wanted;
    let tail = '';
    const onData = (chunk: string): void => {
      const text = tail + chunk;
      for (const [, status = ''] of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        tally[status] = (tally[status] ?? 0) + 1;
        left--;
      }
      const cut = text.lastIndexOf('HTTP/1.1 ');
      // A status line may have come in halves; one that was counted must not be seen again.
      tail =
        /HTTP\/1\.1 \d{3} /.test(text.slice(cut)) || cut < 0
          ? text.slice(-12).replace(/HTTP\/1\.1 \d{3} /, '')
          : text.slice(cut);
      if (left > 0) return;
      finish();
      resolve();
    };
    const onClose = (): void => {
      finish();
      reject(new Error('the connection was closed'));
    };
    const finish = (): void => {
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.off('error', onClose);
    };
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.once('error', onClose);
  });
}

/** A call with a token of the right shape that nobody was given. */
export function badCall(url: URL, index: number): string {
  const token = `sp_${'AAAAAAAAAAAA'}_${String(index).padStart(48, 'x')}`;
  const body = '{"tool":"one.Trial.Who","input":{}}';
  const head = `POST /mcp/call HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\n`;
  return `${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** A request that nothing is written down for. */
export function probe(url: URL): string {
  return `GET /health HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`;
}
