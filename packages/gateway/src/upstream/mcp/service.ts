import { performance } from 'node:perf_hooks';
import {
  type Answer,
  type Feed,
  GatewayError,
  type Hop,
  type ListKind,
  type OutboundCredential,
  type Permit,
  principalKey,
  spendPermit,
  type Upstream,
} from '@sallyport/core';
import type { ServerInfo, ServiceManifest } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { createCaller } from './caller.ts';
import { followServer } from './control.ts';
import type { Begin } from './conversation.ts';
import { awaitListing } from './first-listing.ts';
import { limitCall } from './limit.ts';
import { createParking, type ParkingOptions } from './parking.ts';
import { createPool } from './pool.ts';
import { createEras } from './probe.ts';

/** An MCP server of whichever era and transport, and what it offers. */
export interface McpService {
  readonly upstream: Upstream;
  /** Absent where callers are kept apart: what the gateway would hear is not what they have made. */
  readonly feed?: Feed;
  /** What it offered last; `undefined` until it answered once. */
  manifest(): ServiceManifest | undefined;
  /** Whether it answered when it was asked last. */
  readonly alive: boolean;
  onChange(listener: () => void): () => void;
  /** Asks it anew what it offers: it may show more now. */
  askAgain(): void;
  /** Waits for what it offers, as long as a call waits for a server that is away. @throws GatewayError `upstream_unavailable` */
  listed(hop: Pick<Hop, 'signal' | 'timeoutMs'>): Promise<void>;
  /** How often it said that a list of its own changed. */
  editions(): Readonly<Record<ListKind, number>>;
}

/** What serving an MCP server needs. */
export interface McpServiceOptions {
  readonly service: string;
  readonly kind: 'mcp-http' | 'mcp-stdio';
  /** What answers name as the instance that made them. */
  readonly instance: string;
  readonly begin: Begin;
  readonly clientInfo: ServerInfo;
  readonly log: Logger;
  /** For durations only. Default: a clock that never goes back. */
  readonly nowMs?: () => number;
  /** For listing and watching; calls bring their own. Default: none. */
  readonly credential?: OutboundCredential;
  /** How often everything is listed again, in milliseconds. Default 60,000. */
  readonly refreshMs?: number;
  /** How long a call waits for a server that cannot be reached, in milliseconds. Default 1,000. */
  readonly connectWaitMs?: number;
  /** Calls in flight. Default 1,024. */
  readonly maxInFlight?: number;
  /** Conversations at the same time, and how long one is kept that nobody uses. Default 1,024 and 10 minutes. */
  readonly maxConversations?: number;
  readonly idleMs?: number;
  /** Whether callers are kept apart in the modern era too. Default false. */
  readonly perCaller?: boolean;
  readonly parking?: Omit<ParkingOptions, 'nowMs'>;
  /** Ends what `begin` needs, at the very end. */
  readonly close?: () => Promise<void>;
}

/** Follows an MCP server and calls it, until it is closed. */
export function createMcpService(options: McpServiceOptions): McpService {
  const { service, kind, instance, clientInfo, log, nowMs = () => performance.now() } = options;
  const { connectWaitMs = 1_000, maxInFlight = 1_024, refreshMs = 60_000, credential = { kind: 'none' } } = options;
  const { maxConversations, idleMs, perCaller = false } = options;
  const pool = createPool({
    ...{ eras: createEras({ begin: options.begin, nowMs }), clientInfo, nowMs, perCaller },
    ...(maxConversations !== undefined && { maxConversations }),
    ...(idleMs !== undefined && { idleMs }),
  });
  const parking = createParking({ ...options.parking, nowMs });
  const control = followServer({ service, pool, credential, log, refreshMs, isSubscribable: !perCaller });
  const closing = new AbortController();
  let inFlight = 0;

  const call = createCaller({ pool, parking, control, instance, nowMs, connectWaitMs, closing: closing.signal });

  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    const isOurs = permit.target.service === service && permit.target.version === control.manifest()?.version;
    if (!isOurs || closing.signal.aborted || inFlight >= maxInFlight) throw new GatewayError('upstream_unavailable');
    inFlight += 1;
    const { signal, release } = limitCall(hop, closing.signal);
    const onStart = once(() => {
      spendPermit(permit);
      hop.sent();
    });
    try {
      return await call({ permit, hop, signal, owner: principalKey(permit.principal), onStart });
    } finally {
      release();
      inFlight -= 1;
    }
  };

  return {
    upstream: {
      describe: () => ({ service, kind }),
      open,
      async close() {
        closing.abort(new GatewayError('upstream_unavailable', {}, { cause: 'closed' }));
        control.close();
        parking.close();
        await pool.close();
        await options.close?.();
      },
    },
    ...(!perCaller && { feed: control.feed }),
    manifest: control.manifest,
    get alive() {
      return control.alive();
    },
    onChange: control.onChange,
    askAgain() {
      control.poke();
      control.answered();
    },
    listed: awaitListing({ control, connectWaitMs, closing: closing.signal }),
    editions: control.editions,
  };
}

/** The second conversation of a call is for the same call: its permit is spent already. */
function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    run();
    isDone = true;
  };
}
