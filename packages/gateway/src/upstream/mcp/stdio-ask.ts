import type { JsonText } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import type { Question } from './conversation.ts';
import type { Inbound } from './message.ts';
import { type InFlight, oneLine, type RequestsInFlight } from './stdio-in-flight.ts';

/** The server's own requests: each is answered once. */
export interface Questions {
  take(request: Asked): void;
  /** The server does not want to know any more what it asked under this id. */
  withdraw(id: unknown): void;
}

/** Of one request, and how long each may be: later a notification may name it. */
const maxNamed = 64;
const longestName = 256;

function isNameable(id: JsonValue | undefined): id is string {
  return typeof id === 'string' && id.length <= longestName;
}

type Asked = Extract<Inbound, { kind: 'request' }>;

/** What asking leans on. */
export interface QuestionsOptions {
  readonly inFlight: RequestsInFlight;
  readonly isShared: boolean;
  readonly send: (text: string) => void;
}

/** What may be asked, and of whom: what a shared server hears of one caller's roots would hold for all. */
const questionMethods: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage']);
const ownQuestionMethods: ReadonlySet<string> = new Set([...questionMethods, 'roots/list']);

const methodNotFound = { code: -32_601, message: 'Method not found' };
/** The code with which clients say that a person did not want to (MCP 2025-11-25, sampling). */
const callHasEnded = { code: -1, message: 'The call that this belongs to has ended' };
const nobodyToAsk = { code: -1, message: 'Nobody can be asked now: it is not clear which call this belongs to' };

/**
 * Takes the questions of a stdio server to whoever is to answer them. The server does not say in the course of which
 * request it asks (MCP 2025-11-25 knows that only over HTTP). On a process of one caller it is the latest that takes
 * questions; on a shared one it must be the only one that can be meant, or the question is declined: no caller sees a
 * question of another, nor answers it. One that its caller gave up, and the server perhaps did not, can be meant too; but
 * then the question is no other caller's if both are the same one's.
 */
export function createQuestions({ inFlight, isShared, send }: QuestionsOptions): Questions {
  /** How to forget each, by the text of its id. */
  const open = new Map<string, () => void>();
  const respond = (idText: string, member: string): void => send(`{"jsonrpc":"2.0","id":${idText},${member}}`);

  const meant = (): InFlight | undefined => {
    const suspects = inFlight.suspects();
    if (!isShared) return suspects.findLast(({ request }) => request.onQuestion);
    const [only, another] = suspects;
    return another === undefined && !inFlight.lingersOfOther(only?.request.owner) ? only : undefined;
  };

  const refuse = ({ idText }: Asked, error: object): void => respond(idText, `"error":${JSON.stringify(error)}`);

  const ask = (entry: InFlight, { idText, method, paramsText }: Asked): void => {
    let isOpen = true;
    const close = (): void => {
      isOpen = false;
      open.delete(idText);
      entry.onEnd.delete(end);
    };
    const settle = (member: string): void => {
      if (!isOpen) return;
      close();
      respond(idText, member);
    };
    const decline: Question['decline'] = (error) => settle(`"error":${JSON.stringify(error)}`);
    const end = (): void => decline(callHasEnded);
    open.set(idText, close);
    entry.onEnd.add(end);
    const answer = (resultText: JsonText): void => settle(`"result":${oneLine(resultText)}`);
    entry.request.onQuestion?.({ method, paramsText, answer, decline });
  };

  return {
    take(asked) {
      const { idText, method, paramsText } = asked;
      const entry = meant();
      // Modern servers do not ask in this way.
      const isKnown = (isShared ? questionMethods : ownQuestionMethods).has(method) && entry?.isModern !== true;
      if (method === 'ping') {
        respond(idText, '"result":{}');
      } else if (!isKnown) {
        refuse(asked, methodNotFound);
      } else if (entry?.request.onQuestion === undefined) {
        refuse(asked, nobodyToAsk);
      } else {
        const { elicitationId } = JSON.parse(paramsText) as JsonObject;
        if (isNameable(elicitationId) && entry.elicitations.size < maxNamed) entry.elicitations.add(elicitationId);
        ask(entry, asked);
      }
    },
    withdraw(id) {
      open.get(JSON.stringify(id))?.();
    },
  };
}
