import { type Answer, GatewayError, type Hop, type JsonText, type Permit } from '@sallyport/core';
import { isJsonObject, type JsonValue, loggingLevels } from '@sallyport/protocol';
import { isHarmless, undeclared } from '../questions.ts';
import type { Control } from './control.ts';
import type { Question } from './conversation.ts';
import { toAnswer } from './incoming.ts';
import { canBeAsked, toOutgoing } from './outgoing.ts';
import type { Came, Parking } from './parking.ts';
import type { Lease } from './pool-entry.ts';
import type { Waiting } from './run.ts';

/** A permitted call on its way. */
export interface Departure {
  readonly permit: Permit;
  readonly hop: Hop;
  /** Whose call it is, where it has to wait for answers. */
  readonly owner: string;
  /** Fires with the `GatewayError` to end with. */
  readonly signal: AbortSignal;
  /** Spends the permit. */
  readonly onStart: () => void;
  /** The conversation to call in; absent when the call is one that is open already. */
  readonly lease?: Lease;
}

/** What a call is made with. */
export interface CallPorts {
  readonly parking: Parking;
  readonly control: Pick<Control, 'take'>;
  readonly instance: string;
}

/**
 * Calls a server in a conversation, or goes on with a call that waits for its caller's answers. The lease is released when
 * the call is over: that may be long after this.
 *
 * @throws GatewayError as `Upstream.open` says.
 */
export async function callServer(departure: Departure, { parking, control, instance }: CallPorts): Promise<Answer> {
  const { hop } = departure;
  const waiting = waitingOf(departure, control);
  const came = await proceed(departure, parking, waiting);
  if (came.kind === 'answered') return toAnswer(came.answer, instance, hop);
  return { text: came.text, isError: false, resultType: 'input_required', instance };
}

function proceed(departure: Departure, parking: Parking, waiting: Waiting): Promise<Came> {
  const { lease, hop, onStart } = departure;
  if (lease === undefined) {
    const { requestState = '', inputResponsesText } = hop.retry ?? {};
    return parking.resume({ state: requestState, responsesText: inputResponsesText, waiting, onStart });
  }
  return lease.conversation.era === 'modern'
    ? callModern({ ...departure, lease }, waiting)
    : callLegacy({ ...departure, lease }, parking, waiting);
}

type Leased = Departure & { readonly lease: Lease };

async function callModern({ permit, hop, owner, lease, onStart }: Leased, waiting: Waiting): Promise<Came> {
  try {
    const request = { ...toOutgoing(permit, hop, 'modern'), ...waiting, owner, onStart };
    return { kind: 'answered', answer: await lease.conversation.request(request) };
  } finally {
    lease.release();
  }
}

async function callLegacy(departure: Leased, parking: Parking, waiting: Waiting): Promise<Came> {
  const { permit, hop, owner, lease, onStart } = departure;
  const { conversation, release } = lease;
  try {
    // A state that was not made here is one of a server that spoke the modern era before.
    if (hop.retry?.requestState !== undefined) throw new GatewayError('state_invalid');
    await setLogLevel(departure, waiting.signal);
  } catch (error) {
    release();
    throw error;
  }
  const outgoing = { ...toOutgoing(permit, hop, 'legacy'), owner };
  const { capabilitiesText } = hop.client;
  if (!canBeAsked(capabilitiesText)) {
    return conversation
      .request({ ...outgoing, ...waiting, onStart })
      .then((answer): Came => ({ kind: 'answered', answer }))
      .finally(release);
  }
  return parking.begin({
    owner,
    waiting,
    contained: hop.contained,
    mayAsk(question) {
      const text = asResult(question);
      return undeclared(text, capabilitiesText) === undefined && isHarmless(text);
    },
    start: (hooks) => conversation.request({ ...outgoing, ...hooks, onStart }).finally(release),
  });
}

function asResult({ method, paramsText }: Question): string {
  return `{"inputRequests":{"q":{"method":${JSON.stringify(method)},"params":${paramsText}}}}`;
}

/** A legacy server keeps the level for its conversation. That it knows no levels is no reason not to call it. */
async function setLogLevel({ hop, lease }: Leased, signal: AbortSignal): Promise<void> {
  const { logLevel } = hop.client;
  const { conversation, notes } = lease;
  if (logLevel === undefined || notes.get('logLevel') === logLevel) return;
  notes.set('logLevel', logLevel);
  if (!('logging' in conversation.server.capabilities)) return;
  const paramsText = JSON.stringify({ level: logLevel }) as JsonText;
  await conversation.request({ method: 'logging/setLevel', paramsText, credential: hop.credential, signal });
}

/** Who waits for the call now. What concerns everybody is not told to one caller. */
function waitingOf({ hop, signal }: Departure, control: CallPorts['control']): Waiting {
  const { onProgress, onNotification, onPause } = hop;
  return {
    signal,
    ...(onProgress && { onProgress }),
    ...(onPause && { onPause }),
    ...(onNotification && {
      onNotification(method, paramsText) {
        if (control.take(method, paramsText) || method === 'notifications/cancelled') return;
        if (method !== 'notifications/message' || isWanted(hop, paramsText)) onNotification(method, paramsText);
      },
    }),
  };
}

/** Modern clients hear log messages only if they ask for them, and nobody those below the level asked for. */
function isWanted({ era, client }: Hop, paramsText: string): boolean {
  if (client.logLevel === undefined) return era === 'legacy';
  const params = JSON.parse(paramsText) as JsonValue;
  const level = isJsonObject(params) && typeof params.level === 'string' ? loggingLevels.indexOf(params.level) : -1;
  return level === -1 || level >= loggingLevels.indexOf(client.logLevel);
}
