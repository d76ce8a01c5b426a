import { GatewayError } from '@sallyport/core';
import { type JsonRpcId, notificationMessage } from '@sallyport/protocol';
import type { ClientQuestion, ClientReply } from './session.ts';

/** What one client is being asked. */
export interface Questions {
  /**
   * Sends a question where `send` leads, and waits for the answer; a client that takes too long has answered with an error.
   *
   * @throws GatewayError `sessions_exhausted` when too much is being asked already, `cancelled` when the signal fires or the
   * session ends: then the client is told that the question no longer stands.
   */
  ask(question: ClientQuestion, way: QuestionWay): Promise<ClientReply>;
  /** Hands over an answer. False when nothing with this id is being asked. */
  deliver(id: JsonRpcId, reply: ClientReply): boolean;
  /** Gives up all questions. */
  close(): void;
}

/** How a question reaches the client, and for how long it stands. */
export interface QuestionWay {
  readonly send: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Questions that one client may have open: people answer them one by one. */
const maxOpen = 16;

/** Long enough to read a form and think about it. Milliseconds. */
const maxAskMs = 5 * 60_000;

/** What MCP's own SDKs say of a request that was not answered in time. */
const timedOut: ClientReply = { kind: 'error', code: -32001, message: 'The client did not answer in time.' };

interface Open {
  settle(reply: ClientReply): void;
  giveUp(): void;
}

/** Makes the questions of one session. */
export function createQuestions(limitMs = maxAskMs): Questions {
  const open = new Map<JsonRpcId, Open>();
  let asked = 0;
  let isClosed = false;

  return {
    ask(question, { send, signal }) {
      if (open.size >= maxOpen) return Promise.reject(new GatewayError('sessions_exhausted'));
      if (isClosed || signal.aborted) return Promise.reject(new GatewayError('cancelled'));
      asked++;
      const id = `ask-${asked}`;
      return new Promise((resolve, reject) => {
        const withdraw = (reason: string): void => {
          finish();
          send(notificationMessage('notifications/cancelled', JSON.stringify({ requestId: id, reason })));
        };
        const giveUp = (): void => {
          withdraw('the request it belongs to is over');
          reject(new GatewayError('cancelled'));
        };
        const timer = setTimeout(() => {
          withdraw('it took too long');
          resolve(timedOut);
        }, limitMs);
        timer.unref();
        const finish = (): void => {
          open.delete(id);
          clearTimeout(timer);
          signal.removeEventListener('abort', giveUp);
        };
        const settle = (reply: ClientReply): void => {
          finish();
          resolve(reply);
        };
        open.set(id, { settle, giveUp });
        signal.addEventListener('abort', giveUp, { once: true });
        send(questionMessage(id, question));
      });
    },
    deliver(id, reply) {
      const waiting = open.get(id);
      waiting?.settle(reply);
      return waiting !== undefined;
    },
    close() {
      isClosed = true;
      for (const waiting of [...open.values()]) waiting.giveUp();
    },
  };
}

function questionMessage(id: string, { method, paramsText }: ClientQuestion): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":${paramsText}}`;
}
