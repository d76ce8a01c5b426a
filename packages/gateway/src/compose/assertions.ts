import type { Hop, Permit } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { createKeyRing, createStatements, type KeyRing, type State } from '../assertion/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { Sealer } from '../secrets/index.ts';
import type { Stores } from './stores.ts';

/** What the gateway states to services that are to check it, and the keys that they check it with. */
export interface Assertions {
  /** For the calls to services that the configuration says so of. */
  readonly stateCall: (permit: Permit, hop: Hop) => State | undefined;
  /** For what the gateway asks such a service itself. */
  readonly stateOwn: (service: string) => State;
  /** The keys that it is signed with, for whoever looks after them. */
  readonly keys: Pick<KeyRing, 'rotate' | 'facts'>;
  /** What anybody may read at this path. */
  readonly document: (path: string) => Promise<JsonObject> | undefined;
}

/** What this is made of. */
export interface AssertionParts {
  readonly stores: Pick<Stores, 'state'>;
  readonly sealer: Sealer;
  readonly config: () => GatewayConfig;
  readonly nowMs: () => number;
}

/** Where the public keys are, on the listener for agents. */
export const keysPath = '/.well-known/sallyport/assertion-keys.json';

/** Makes the statements of one gateway. */
export function createAssertions({ stores, sealer, config, nowMs }: AssertionParts): Assertions {
  const ring = createKeyRing({ store: stores.state.assertionKeys, sealer, nowMs });
  const issuer = () => config().publicUrl ?? 'sallyport';
  const statements = createStatements({ ring, issuer, nowMs });
  const isStated = (service: string): boolean => {
    const described = config().services[service];
    return described?.kind === 'mcp' && described.assertion === true;
  };
  return {
    stateCall: (permit, hop) => (isStated(permit.target.service) ? statements.forCall(permit, hop) : undefined),
    keys: ring,
    stateOwn: (service) => statements.ofGateway(service),
    document: (path) => (path === keysPath ? ring.published() : undefined),
  };
}
