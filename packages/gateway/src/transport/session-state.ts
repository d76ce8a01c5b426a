import { randomBytes } from 'node:crypto';
import { accountKey, GatewayError, type Principal, principalKey } from '@sallyport/core';
import type { JsonRpcId } from '@sallyport/protocol';
import type { McpExchange } from './mcp-request.ts';
import type { Introduction, Session } from './session.ts';
import { createQuestions, type Questions } from './session-questions.ts';

/** A session and what its transport keeps of it. */
export interface OpenSession extends Session, Pick<Questions, 'ask'> {
  /** Principal, as the key that tells principals apart. */
  readonly owner: string;
  /** The account of the principal, as the key that tells accounts apart. */
  readonly account: string;
  /** Requests that are being served, by their ids. */
  readonly requests: Requests;
}

/** The requests of one client that are being served. */
export interface Requests {
  readonly size: number;
  has(id: JsonRpcId): boolean;
  /** Takes in a request. Undefined when its id is in use: a cancellation could mean either. */
  begin(id: JsonRpcId): AbortController | undefined;
  finish(id: JsonRpcId): void;
  /** Cancels the request with this id, if there is one. */
  cancel(id: JsonRpcId): void;
  cancelAll(): void;
}

/** Who a session is of, and where its messages go. */
export interface SessionParts {
  readonly introduction: Introduction;
  readonly principal: Principal;
  readonly tell: (message: string) => void;
}

/** What a client may say of its capabilities, in characters: it is kept for as long as a session, here or at a server. */
export const maxCapabilitiesLength = 16 * 1024;

/** Opens a session of this principal, or says why not. */
export function openSession({ introduction, principal, tell }: SessionParts): OpenSession | GatewayError {
  const { version, capabilitiesText } = introduction;
  if (capabilitiesText.length > maxCapabilitiesLength) {
    return new GatewayError('malformed_params', { issues: ['/params/capabilities: is too long'] });
  }
  const owner = principalKey(principal);
  const questions = createQuestions();
  const requests = createRequests();
  let listeners: (() => void)[] | undefined = [];
  return {
    // 256 and 128 bits that nobody can guess, in characters that are visible ASCII.
    id: randomBytes(32).toString('base64url'),
    conversation: randomBytes(16).toString('base64url'),
    ...{ version, capabilitiesText, owner, account: accountKey(principal), requests, tell },
    logLevel: undefined,
    resourceUris: new Set(),
    admits: (other) => principalKey(other) === owner,
    ask: questions.ask,
    deliver: questions.deliver,
    end() {
      const ending = listeners ?? [];
      listeners = undefined;
      requests.cancelAll();
      questions.close();
      for (const listener of ending) listener();
    },
    onEnd(listener) {
      if (listeners === undefined) listener();
      else listeners.push(listener);
    },
  };
}

/** The session of an id that names none: everybody is told the same, after they were authenticated. */
export const nobodysSession: Session = emptySession(() => false);

/** Who initialized, and with what. */
export type Initialized = Pick<SessionParts, 'introduction' | 'principal'>;

/**
 * What `initialize` gets of a session that is not there yet: something that learns from the pipeline whose it will be, and
 * the way to open it then.
 */
export function initializing(
  open: (initialized: Initialized) => Session | GatewayError,
): Required<Pick<McpExchange, 'session' | 'openSession'>> {
  let visitor: Principal | undefined;
  const session = emptySession((principal) => {
    visitor = principal;
    return true;
  });
  const openFor = (introduction: Introduction): Session | GatewayError =>
    visitor === undefined ? new GatewayError('internal') : open({ introduction, principal: visitor });
  return { session, openSession: openFor };
}

function emptySession(admits: Session['admits']): Session {
  return {
    ...{ id: '', conversation: '', version: '', capabilitiesText: '{}' as Session['capabilitiesText'], admits },
    logLevel: undefined,
    resourceUris: new Set(),
    tell: () => undefined,
    deliver: () => false,
    end: () => undefined,
    onEnd: () => undefined,
  };
}

/** Makes an empty set of requests. */
export function createRequests(): Requests {
  const running = new Map<JsonRpcId, AbortController>();
  return {
    get size() {
      return running.size;
    },
    has: (id) => running.has(id),
    begin(id) {
      if (running.has(id)) return undefined;
      const cancelled = new AbortController();
      running.set(id, cancelled);
      return cancelled;
    },
    finish: (id) => void running.delete(id),
    cancel: (id) => running.get(id)?.abort(new GatewayError('cancelled')),
    cancelAll() {
      for (const cancelled of running.values()) cancelled.abort(new GatewayError('cancelled'));
    },
  };
}
