import { createHash, randomBytes } from 'node:crypto';
import type { Client } from './client.ts';
import type { Discovered } from './discovery.ts';
import type { DpopKey } from './dpop.ts';

/** What a user is asked to agree to. */
export interface Asked {
  /** Whose grant it is going to be; empty: the gateway's own. */
  readonly user: string;
  /** What people call that user. */
  readonly userName: string;
  readonly service: string;
  readonly scopes: readonly string[] | undefined;
  readonly discovered: Discovered;
}

/** What was begun in a browser, and is good in that browser only. */
export interface Begun {
  /** SHA-256 of its cookie. */
  readonly browser: string;
  readonly state: string;
  readonly codeVerifier: string;
  readonly client: Client;
  readonly redirectUri: string;
  readonly dpop: DpopKey | undefined;
}

/** A consent that was asked for and is not given yet. */
export interface Flow extends Asked {
  /** In its address. It lets nobody do anything: who agrees is asked at the authorization server. */
  readonly id: string;
  readonly expiresAtMs: number;
  begun?: Begun;
  /** Resolves when it is over: `true` when there is a grant. */
  readonly over: Promise<boolean>;
  end(isGranted: boolean): void;
}

/** The consents that are being waited for. */
export interface Flows {
  /** The one that was asked for already, or a new one. */
  ask(asked: Asked): Flow;
  find(id: string): Flow | undefined;
  /** Finds a flow by what came back with the browser, and ends it for all others: each is good for one answer. */
  take(state: string): Flow | undefined;
  /** Forgets all of a user and service. */
  drop(user: string, service: string): void;
}

const lifeMs = 15 * 60_000;
const maxFlows = 10_000;

/** Makes an empty table. It lives in one process: a gateway that was started anew asks anew. */
export function createFlows(nowMs: () => number): Flows {
  const flows = new Map<string, Flow>();
  const byPurpose = new Map<string, Flow>();

  const remove = (flow: Flow): void => {
    flows.delete(flow.id);
    if (byPurpose.get(purposeOf(flow)) === flow) byPurpose.delete(purposeOf(flow));
  };
  const end = (flow: Flow, isGranted: boolean): void => {
    remove(flow);
    flow.end(isGranted);
  };
  const sweep = (): void => {
    for (const flow of flows.values()) {
      if (flow.expiresAtMs > nowMs() && flows.size < maxFlows) return;
      end(flow, false);
    }
  };
  const current = (flow: Flow | undefined): Flow | undefined => (flow && flow.expiresAtMs > nowMs() ? flow : undefined);

  return {
    ask(asked) {
      sweep();
      const known = current(byPurpose.get(purposeOf(asked)));
      if (known) return known;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const id = drawSecret();
      const flow: Flow = { ...asked, id, expiresAtMs: nowMs() + lifeMs, over: promise, end: resolve };
      flows.set(id, flow);
      byPurpose.set(purposeOf(asked), flow);
      return flow;
    },
    find: (id) => current(flows.get(id)),
    take(state) {
      const flow = [...flows.values()].find(({ begun }) => begun?.state === state);
      if (flow) remove(flow);
      return current(flow);
    },
    drop(user, service) {
      for (const flow of flows.values()) if (flow.user === user && flow.service === service) end(flow, false);
    },
  };
}

/** 256 bits, as they fit an address and a header. */
export function drawSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** What is kept of a secret that somebody brings back. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function purposeOf({ user, service, scopes, discovered }: Asked): string {
  return JSON.stringify([user, service, discovered.server.issuer, scopes ?? null]);
}
