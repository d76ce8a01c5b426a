import type { Authenticator, Endpoint, Stages } from '@sallyport/core';
import type { Logger } from 'pino';
import { pathOfEndpoint } from '../authentication/audience.ts';
import { intentToken } from '../authentication/intent-token.ts';
import { createAuthenticate } from '../authentication/stage.ts';
import { drawToken, formatToken, hashSecret, intentPrefix } from '../authentication/token-text.ts';
import type { GatewayConfig } from '../config/index.ts';
import { scopeCovers } from '../entitlement/scopes.ts';
import {
  createExchange,
  createExchanges,
  createTokenExchange,
  exchangeManifest,
  exchangeTool,
  type ResourceReader,
} from '../intents/index.ts';
import { fixedRegistry, inProcessService } from '../registry/in-process.ts';
import type { Sealer } from '../secrets/index.ts';
import { newCallId, newTrace, type Tracing } from '../telemetry/index.ts';
import type { TransportDeps } from '../transport/deps.ts';
import { endpointAt } from '../transport/http-endpoint.ts';
import type { Sealing } from '../upstream/sealing.ts';
import type { Lifetime } from './lifetime.ts';
import { createPlane, type Plane, type PlaneParts, type PlaneSettings } from './plane.ts';
import type { Stores } from './stores.ts';

/** What exchanging tokens for intents is made of. */
export interface IntentParts {
  readonly stores: Pick<Stores, 'state' | 'pepper'>;
  readonly sealer: Sealer;
  readonly authenticators: readonly Authenticator[];
  readonly record: Stages['record'];
  readonly tracing?: Tracing;
  readonly sealing: Sealing;
  readonly config: () => GatewayConfig;
  readonly publicUrl: () => string | undefined;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
  /** Whoever is contained gets no other token. */
  readonly containments?: NonNullable<PlaneParts['containments']>;
}

/** Exchange of tokens: a plane of its own, with one tool, that callers reach at the token endpoint. */
export interface IntentExchange {
  readonly plane: Plane;
  readonly exchangeToken: NonNullable<TransportDeps['exchangeToken']>;
}

/** Those that ended are kept for so long, for whoever traces one. */
export const keepEndedIntentsMs = 30 * 86_400_000;

/** What messages of users are sealed as. */
const messageKind = 'intent-message';
/** They are kept as long as the intent is. */
const messageLifeMs = 100 * 365 * 86_400_000;

/** Puts the exchange behind a pipeline: who has a token may have a narrower one, so no scope is asked for. */
export function createIntentExchange(parts: IntentParts, settings: PlaneSettings): IntentExchange {
  const { sealer, config, publicUrl, nowMs } = parts;
  const { state, pepper } = parts.stores;
  const exchanges = createExchanges();
  const exchange = createExchange({
    ...{ exchanges, tokens: state.tokens, nowMs },
    intents: {
      look: state.intents.look,
      async add(intent) {
        await state.intents.prune(nowMs() - keepEndedIntentsMs);
        await state.intents.add(intent);
      },
    },
    limits: () => config().auth.intents,
    maxTokenLifeMs: () => config().auth.maxTokenLifeMs,
    authenticate: createAuthenticate(parts.authenticators),
    drawToken: () => {
      const drawn = drawToken();
      return {
        id: drawn.id,
        text: formatToken(drawn, intentPrefix),
        secretHash: hashSecret(pepper, drawn.secret).toString('hex'),
      };
    },
    sealMessage: (id, message) => sealer.seal(messageKind, { id, message }, nowMs() + messageLifeMs),
    covers: scopeCovers,
  });
  const service = inProcessService(exchangeManifest, { [exchangeTool]: exchange });
  const plane = createPlane(
    {
      ...{ record: parts.record, sealing: parts.sealing, nowMs, log: parts.log },
      ...(parts.tracing && { tracing: parts.tracing }),
      ...(parts.containments && { containments: parts.containments }),
      registry: fixedRegistry([service]),
      authenticators: parts.authenticators.map(exchanges.judging),
      intents: state.intents,
      // Its token may be exchanged for a narrower one, whatever an intent lets be called.
      boundByIntents: false,
    },
    settings,
  );
  parts.life.onClose(plane.close);
  const resourceAt: ResourceReader = (resource) => resourceIn(resource, publicUrl());
  return {
    plane,
    exchangeToken: createTokenExchange({
      ...{ pipeline: plane.pipeline, exchanges, resourceAt, newCallId, nowMs },
      newTrace: parts.tracing?.newTrace ?? newTrace,
    }),
  };
}

/** What counting refused calls needs. */
export interface RefusedParts extends Pick<IntentParts, 'stores' | 'config' | 'nowMs'> {
  readonly record: Stages['record'];
}

/** Records, and takes a call from the intent of each that was refused, where the configuration says so. */
export function countingRefused({ record, stores, config, nowMs }: RefusedParts): Stages['record'] {
  return (entry) => {
    const { kind, verb, outcome, method, intent, reason, service } = entry;
    const counts = kind === 'outcome' && verb === 'invoke' && outcome === 'refused' && reason !== 'intent_spent';
    // Services act under the intents of others, and asking for a narrower one is not what it was given for.
    const isHolder = method === intentToken.kind && service !== exchangeManifest.service;
    if (!counts || !isHolder || intent === undefined || !config().auth.intents.countRefused) return record(entry);
    const { intents } = stores.state;
    return record(entry).then(async () => {
      const taken = ((await intents.find(intent.id))?.intent.allows ?? []).map((allowance) => allowance.intent);
      await intents.take(taken, { nowMs: nowMs(), goesOn: false });
    });
  };
}

/** Opens the message of an intent. `undefined` for a text that is not what was sealed for it. */
export function openMessage(sealer: Sealer, id: string, sealed: string): string | undefined {
  const opened = sealer.open(messageKind, sealed);
  return opened?.id === id && typeof opened.message === 'string' ? opened.message : undefined;
}

/** The whole gateway by its address or its MCP endpoint; one view or service by theirs. */
function resourceIn(resource: string, publicUrl: string | undefined): ReturnType<ResourceReader> {
  if (publicUrl === undefined) return undefined;
  const base = publicUrl.replace(/\/$/, '');
  if (resource === base || resource === `${base}/`) return { endpoint: { kind: 'all' } };
  const endpoint: Endpoint | undefined = resource.startsWith(base)
    ? endpointAt(resource.slice(base.length))
    : undefined;
  if (endpoint === undefined) return undefined;
  return endpoint.kind === 'all' ? { endpoint } : { endpoint, path: pathOfEndpoint(endpoint) };
}
