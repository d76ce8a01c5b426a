import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { Server } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import type { News } from '../news.ts';
import type { ClientSession } from './server.ts';

/** The sessions of clients of the old era (MCP 2025-11-25, Streamable HTTP). */
export interface Sessions {
  /** Begins one with an `initialize` that was read already. */
  begin(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void>;
  /** Goes on with the one that a request names; 404 for one that is not there any more. */
  serve(request: IncomingMessage, response: ServerResponse, given: Given): Promise<void>;
  /** Tells those who asked to be told. */
  tell(news: News): void;
  close(): Promise<void>;
}

/** Which session, and the body where it was read already. */
export interface Given {
  readonly id: string;
  readonly body: unknown;
}

/** What keeping sessions needs. */
export interface SessionsOptions {
  readonly createServer: (session: ClientSession) => Server;
  readonly log: Logger;
}

interface Open {
  readonly server: Server;
  readonly transport: NodeStreamableHTTPServerTransport;
  readonly session: ClientSession;
  idle: NodeJS.Timeout | undefined;
}

/** One more closes the one that was silent for longest. */
const maxSessions = 1_000;
const maxIdleMs = 30 * 60_000;

/** Keeps sessions in memory. */
export function createSessions({ createServer, log }: SessionsOptions): Sessions {
  const sessions = new Map<string, Open>();
  const drop = (id: string): void => {
    const open = sessions.get(id);
    sessions.delete(id);
    clearTimeout(open?.idle);
    open?.server.close().catch((err: unknown) => log.debug({ err }, 'an MCP session did not close'));
  };
  /** The newest stand last: the one that has been silent for longest is the first. */
  const touch = (id: string, open: Open): void => {
    clearTimeout(open.idle);
    open.idle = setTimeout(() => drop(id), maxIdleMs).unref();
    sessions.delete(id);
    sessions.set(id, open);
    const oldest = sessions.keys().next().value;
    if (sessions.size > maxSessions && oldest !== undefined) drop(oldest);
  };

  return {
    async begin(request, response, body) {
      const session: ClientSession = { logLevel: undefined, subscriptions: new Set() };
      const server = createServer(session);
      const transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => touch(id, { server, transport, session, idle: undefined }),
        onsessionclosed: drop,
      });
      await server.connect(transport);
      await transport.handleRequest(request, response, body);
      if (transport.sessionId === undefined) await server.close();
    },
    async serve(request, response, { id, body }) {
      const open = sessions.get(id);
      if (open === undefined) {
        const error = { code: -32001, message: 'Session not found' };
        response.writeHead(404, { 'Content-Type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
        return;
      }
      touch(id, open);
      await open.transport.handleRequest(request, response, body);
    },
    tell(news) {
      if (news.kind !== 'updated') return;
      for (const { server, session } of sessions.values()) {
        if (!session.subscriptions.has(news.uri)) continue;
        // Whoever listens to nothing hears nothing.
        server.sendResourceUpdated({ uri: news.uri }).catch(() => undefined);
      }
    },
    async close() {
      for (const id of [...sessions.keys()]) drop(id);
    },
  };
}
