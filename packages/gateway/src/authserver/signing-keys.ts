import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@sallyport/protocol';
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose';
import type { Records } from './records.ts';

/** The one algorithm that tokens are signed with. */
export const signingAlgorithm = 'ES256';

/** A key that was followed by another stays published for so long: longer than any token that it signed. */
const keptAfterMs = 2 * 86_400_000;

/** The keys that sign tokens, newest first. */
export interface SigningKeys {
  /** Private keys; makes and drops some when it is time. Changes of other gateways on the same store are seen. */
  current(): Promise<readonly JWK[]>;
  /** Public keys. */
  published(): Promise<JSONWebKeySet>;
  /** Makes a new one, which signs from now on; the one before stays published for as long as a token of its may live. */
  rotate(): Promise<void>;
  /** All that can be opened, newest first: that one signs. */
  facts(): Promise<readonly { readonly kid: string; readonly createdAtMs: number }[]>;
}

/** The signing keys in a store, sealed. @param lifeMs a new one is made when the newest is older. */
export function createSigningKeys({ store, sealer, nowMs }: Records, lifeMs: number): SigningKeys {
  const opened = new Map<string, JWK>();
  const open = ({ kid, sealed }: { readonly kid: string; readonly sealed: string }): JWK | undefined => {
    const known = opened.get(kid);
    if (known !== undefined) return known;
    const jwk = sealer.open(`oauth key ${kid}`, sealed) as JWK | undefined;
    if (jwk !== undefined) opened.set(kid, jwk);
    return jwk;
  };
  const draw = async (): Promise<string> => {
    const kid = randomUUID();
    const { privateKey } = await generateKeyPair(signingAlgorithm, { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid, alg: signingAlgorithm, use: 'sig' };
    const sealed = sealer.seal(`oauth key ${kid}`, jwk as JsonObject, Number.MAX_SAFE_INTEGER);
    await store.addKey({ kid, sealed, createdAtMs: nowMs() });
    return kid;
  };
  const drop = async (): Promise<void> => {
    const keys = await store.keys();
    for (const [index, { kid }] of keys.entries()) {
      const successor = keys[index - 1];
      if (successor !== undefined && successor.createdAtMs + keptAfterMs < nowMs()) await store.removeKey(kid);
    }
  };
  let drawing: Promise<string> | undefined;
  const current = async (): Promise<readonly JWK[]> => {
    // One that cannot be opened was sealed under another master key: it signs nothing any more.
    const newest = (await store.keys()).find((key) => open(key) !== undefined);
    if (newest === undefined || newest.createdAtMs + lifeMs < nowMs()) {
      drawing ??= draw().finally(() => {
        drawing = undefined;
      });
      await drawing;
    }
    await drop();
    return (await store.keys()).flatMap((key) => open(key) ?? []);
  };
  return {
    current,
    async published() {
      return { keys: (await current()).map(({ d: _, ...publicKey }) => publicKey) };
    },
    rotate: async () => void (await draw()),
    facts: async () => {
      await current();
      return (await store.keys()).flatMap(({ kid, sealed, createdAtMs }) =>
        open({ kid, sealed }) ? [{ kid, createdAtMs }] : [],
      );
    },
  };
}
