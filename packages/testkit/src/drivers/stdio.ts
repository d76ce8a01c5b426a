import type { Readable, Writable } from 'node:stream';
import { conversation, type Line, type LineEvents } from './conversation.ts';
import type { Driver, SessionClient } from './driver.ts';
import type { Era } from './mcp-text.ts';

/** The streams of a server that speaks MCP over stdio, seen from outside. */
export interface StdioPipe {
  /** What the server reads. */
  readonly stdin: Writable;
  /** What the server writes; its end is the server's. */
  readonly stdout: Readable;
}

/** Which server, and how to speak to it. */
export interface StdioDriverOptions {
  /** Starts a server; called again when the one before has ended. */
  readonly start: () => StdioPipe;
  readonly era?: Era;
  /** Begins a session of the old era as this client; `era` is then `legacy`. */
  readonly client?: SessionClient;
  /** Default `stdio`. */
  readonly name?: string;
}

/** MCP over newline-delimited JSON-RPC. A message is one line, so newlines in it are sent as spaces. */
export function stdio({ start, era = 'modern', name = 'stdio', client }: StdioDriverOptions): Driver {
  const open = async (events: LineEvents): Promise<Line> => attach(start(), events);
  return client === undefined ? conversation({ name, era, open }) : conversation({ name, era: 'legacy', open, client });
}

function attach({ stdin, stdout }: StdioPipe, events: LineEvents): Line {
  let isOpen = true;
  let pending = '';
  stdout.setEncoding('utf8');
  stdout.on('data', (chunk: string) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) events.onMessage(line);
  });
  const end = (): void => {
    if (isOpen) events.onClosed('the server ended');
    isOpen = false;
  };
  stdout.once('end', end);
  stdout.once('close', end);
  stdin.on('error', () => undefined);
  return {
    send: (text) => void stdin.write(`${text.replace(/[\r\n]+/g, ' ')}\n`),
    get isOpen() {
      return isOpen;
    },
    close: () => {
      isOpen = false;
      stdin.end();
    },
  };
}
