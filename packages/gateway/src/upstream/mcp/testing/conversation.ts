import assert from 'node:assert/strict';
import type { JsonText } from '@sallyport/core';
import type { Era } from '@sallyport/protocol';
import { Agent } from 'undici';
import type { Beginning, Conversation, ConversationRequest } from '../conversation.ts';
import { createHttpBegin } from '../http.ts';
import type { HttpEndpointOptions } from '../http-endpoint.ts';
import { type FakeHttpOptions, type FakeHttpServer, startFakeHttpServer } from './fake-http-server.ts';

type Limits = Pick<HttpEndpointOptions, 'maxMessageBytes' | 'maxAnswerBytes'>;

const cleanups: (() => unknown)[] = [];

/** Ends what a test began. */
export async function cleanup(): Promise<void> {
  for (const each of cleanups.splice(0).reverse()) await each();
}

/** A beginning as the gateway makes it. */
export function beginning(overrides: Partial<Beginning> = {}): Beginning {
  return {
    clientInfo: { name: 'sallyport', version: '0.1.0' },
    capabilitiesText: '{}' as JsonText,
    credential: { kind: 'none' },
    signal: new AbortController().signal,
    ...overrides,
  };
}

/** Begins a conversation with the server at a URL. */
export async function begin(
  { url }: { readonly url: string },
  era: Era,
  options: Limits & Partial<Beginning> = {},
): Promise<Conversation | undefined> {
  const { maxMessageBytes, maxAnswerBytes, ...more } = options;
  const dispatcher = new Agent({ connect: { timeout: 2_000 } });
  cleanups.push(() => dispatcher.destroy());
  const limits = {
    ...(maxMessageBytes !== undefined && { maxMessageBytes }),
    ...(maxAnswerBytes !== undefined && { maxAnswerBytes }),
  };
  return createHttpBegin({ url, dispatcher, ...limits })(era, beginning(more));
}

/** Begins a conversation with a new fake server. */
export async function conversation(
  era: Era,
  options: FakeHttpOptions,
  more: Limits & Partial<Beginning> = {},
): Promise<{ readonly fake: FakeHttpServer; readonly made: Conversation }> {
  const fake = await startFakeHttpServer(options);
  cleanups.push(fake.kill);
  const made = await begin(fake, era, more);
  assert(made, 'the server does not speak this era');
  cleanups.push(() => made.close());
  return { fake, made };
}

/** A request as the gateway makes it. */
export function request(method: string, overrides: Partial<ConversationRequest> = {}): ConversationRequest {
  return {
    method,
    paramsText: '{"name":"x","arguments":{}}' as JsonText,
    credential: { kind: 'none' },
    signal: new AbortController().signal,
    ...overrides,
  };
}
