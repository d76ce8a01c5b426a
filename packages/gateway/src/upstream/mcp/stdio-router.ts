import type { JsonText } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, metaKeys } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Inbound } from './message.ts';
import { createComplaints } from './stdio-allowance.ts';
import { endOfSubscription, type InFlight, type RequestsInFlight } from './stdio-in-flight.ts';

/** What routing leans on. */
export interface RouterOptions {
  readonly service: string;
  readonly isShared: boolean;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly inFlight: RequestsInFlight;
  /** Tells everybody of a notification that belongs to no request. */
  readonly tell: (method: string, paramsText: JsonText) => void;
  /** The server does not want to know any more what it asked under this id. */
  readonly withdraw: (id: unknown) => void;
}

/** Hands on what belongs to requests of ours. */
export interface Router {
  answer(message: Extract<Inbound, { kind: 'answer' }>): void;
  notification(message: Extract<Inbound, { kind: 'notification' }>): void;
}

type Notification = Extract<Inbound, { kind: 'notification' }>;

/** Finds out whom answers and notifications are for. */
export function createRouter(options: RouterOptions): Router {
  const { inFlight, isShared, tell, withdraw, log, service } = options;
  const complain = createComplaints(options);
  /** A log message says nothing of the request that it belongs to; if several may have caused it, it may be of either. */
  const logged = ({ method, paramsText }: Notification): void => {
    const suspects = inFlight.suspects();
    const asking = suspects.filter(({ wantsLogs }) => wantsLogs);
    const [only, another] = asking.length > 0 ? asking : suspects;
    const isOurs =
      only !== undefined && another === undefined && !(isShared && inFlight.lingersOfOther(only.request.owner));
    if (isOurs && only.request.onNotification) only.request.onNotification(method, paramsText);
    else if (!isShared || suspects.length === 0) tell(method, paramsText);
    else log.debug({ service }, 'a log message of the server may be for several callers; nobody is told');
  };

  /** That a person has done what a URL asked for is told by the id of what was asked. */
  const ownerOf = ({ method, params }: Notification): InFlight | undefined => {
    if (method !== 'notifications/elicitation/complete') return undefined;
    return inFlight.all().find(({ elicitations }) => elicitations.has(String(params.elicitationId)));
  };

  const cancelled = ({ requestId }: JsonObject): void => {
    withdraw(requestId);
    if (inFlight.get(requestId)?.request.method !== 'subscriptions/listen') return;
    inFlight.take(requestId)?.settle(endOfSubscription);
  };

  return {
    answer({ id, answer }: Extract<Inbound, { kind: 'answer' }>): void {
      if (id === undefined && answer.kind === 'error') {
        complain('the server could not read a message', { code: answer.code });
        return;
      }
      inFlight.take(id)?.settle(answer);
    },
    notification(message: Notification): void {
      const { method, params, paramsText } = message;
      const subscriptionId = subscriptionOf(params);
      if (method === 'notifications/progress') inFlight.get(params.progressToken)?.progress(params);
      else if (method === 'notifications/cancelled') cancelled(params);
      else if (subscriptionId !== undefined) tellOne(inFlight.get(subscriptionId), message);
      else if (method === 'notifications/message') logged(message);
      else if (!tellOne(ownerOf(message), message)) tell(method, paramsText);
    },
  };
}

function subscriptionOf({ _meta }: JsonObject): JsonValue | undefined {
  return isJsonObject(_meta) ? _meta[metaKeys.subscriptionId] : undefined;
}

/** Whether there was somebody to tell. */
function tellOne(entry: InFlight | undefined, { method, paramsText }: Notification): boolean {
  const told = entry?.request.onNotification;
  told?.(method, paramsText);
  return told !== undefined;
}
