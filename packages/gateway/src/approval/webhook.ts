import type { ApprovalChannel, ApprovalEvent, CancelSignal } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { type CallNotice, jsonMessage, jsonNotice, slackMessage, slackNotice } from './webhook-message.ts';
import { sign } from './webhook-signature.ts';

/** One address that is told of approvals. */
export interface WebhookSettings {
  readonly name: string;
  readonly format: 'json' | 'slack';
  /** `digest`: without the arguments. */
  readonly include: 'digest' | 'arguments';
  /** What it is told of. */
  readonly events: readonly ApprovalEvent['kind'][];
}

/** What a webhook leans on. */
export interface WebhookParts {
  readonly settings: WebhookSettings;
  /** The address. Asked each time: it may be a secret itself. */
  readonly url: () => string;
  /** What messages are signed with. */
  readonly secret: () => string;
  /** Sends a message; has to refuse addresses that the gateway must not reach, and to end by itself. */
  readonly post: (url: string, request: WebhookPost) => Promise<{ readonly status: number }>;
  readonly nowMs: () => number;
  /** Between two attempts, in milliseconds. Default: 1, 5 and 25 seconds. */
  readonly pausesMs?: readonly number[];
}

/** One message. */
export interface WebhookPost {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** Messages of one webhook that may be under way. What is beyond is not told: people look at the list, too. */
const maxUnderWay = 100;
const defaultPausesMs = [1_000, 5_000, 25_000];

/** An address that is told of approvals, and of calls that policies want told. */
export interface Webhook extends ApprovalChannel {
  notice(call: CallNotice, signal: CancelSignal): Promise<void>;
}

/** Makes one webhook. What it cannot deliver after a few attempts it throws, for the log. */
export function createWebhook(parts: WebhookParts): Webhook {
  const { settings, pausesMs = defaultPausesMs } = parts;
  let underWay = 0;
  const deliver = async (message: JsonObject, signal: AbortSignal): Promise<void> => {
    const isJson = settings.format === 'json';
    const body = JSON.stringify({ ...message, ...(isJson && { sentAt: new Date(parts.nowMs()).toISOString() }) });
    for (const pauseMs of [0, ...pausesMs]) {
      if (pauseMs > 0) await pause(pauseMs, signal);
      const status = await attempt(parts, body, signal);
      if (status >= 200 && status < 300) return;
      if (!isWorthAgain(status)) throw new Error(`the webhook ${settings.name} answered with HTTP ${status}`);
    }
    throw new Error(`the webhook ${settings.name} could not be reached`);
  };
  const send = async (message: JsonObject, signal: CancelSignal): Promise<void> => {
    if (underWay >= maxUnderWay) throw new Error(`the webhook ${settings.name} is too slow: a message was not sent`);
    underWay++;
    const { ending, release } = endingWith(signal);
    try {
      await deliver(message, ending);
    } finally {
      underWay--;
      release();
    }
  };
  return {
    name: settings.name,
    async tell(event, signal) {
      if (settings.events.includes(event.kind)) await send(messageOf(settings, event), signal);
    },
    notice: (call, signal) => send(settings.format === 'slack' ? slackNotice(call) : jsonNotice(call), signal),
  };
}

function messageOf({ format, include }: WebhookSettings, event: ApprovalEvent): JsonObject {
  const options = { isWhole: include === 'arguments' };
  return format === 'slack' ? slackMessage(event, options) : jsonMessage(event, options);
}

/** Signed anew each time: a signature is good for five minutes. 0: nobody answered. */
async function attempt({ url, secret, post, nowMs }: WebhookParts, body: string, signal: AbortSignal): Promise<number> {
  const headers = { 'content-type': 'application/json', 'sallyport-signature': sign(secret(), body, nowMs()) };
  try {
    return (await post(url(), { headers, body, signal })).status;
  } catch (error) {
    if (signal.aborted) throw error;
    return 0;
  }
}

function isWorthAgain(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    const clock = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms).unref();
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(clock);
        abort();
      },
      { once: true },
    );
    if (signal.aborted) abort();
  });
}

function endingWith(signal: CancelSignal): { readonly ending: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const end = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return { ending: controller.signal, release: () => signal.removeEventListener('abort', end) };
}
