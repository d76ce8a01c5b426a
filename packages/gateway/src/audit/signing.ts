import { AuditLogDamaged } from './damaged.ts';
import type { Handover } from './handover.ts';
import { createKeyChain, type KeyChain } from './key-chain.ts';
import { createSigner, type Signer } from './note.ts';
import type { SigningKeys } from './seal.ts';

/** Who signs for a log. */
export interface Signing {
  signer(): Signer;
  use(next: Signer): void;
  readonly chain: KeyChain;
}

/** What a log says of who signs for it. */
export interface SignedLog {
  readonly origin: string;
  /** The public key that it began with, as text. */
  readonly first: string;
  readonly handovers: readonly Handover[];
}

/**
 * The one of these keys that the log has come to: the next one already, where whoever keeps the keys has not heard of it yet; or
 * one from before, where the keys were followed by others while this log was not open. `undefined`: none of them.
 */
export function signerOf({ origin, first, handovers }: SignedLog, keys: SigningKeys): Signer | undefined {
  const { signing, nextSigning, oldSigning = [] } = keys;
  const active = createKeyChain(origin, [], handovers).last ?? first;
  return [...(nextSigning ? [nextSigning] : []), signing, ...oldSigning]
    .map((seed) => createSigner(origin, seed))
    .find(({ verifierKey }) => verifierKey === active);
}

/** Who signs for a log that is opened: the key that it has come to. @throws AuditLogDamaged for handovers that are none. */
export function createSigning(log: SignedLog, keys: SigningKeys): Signing {
  const { origin, handovers } = log;
  const { last, findings } = createKeyChain(origin, [], handovers);
  if (findings.length > 0) throw new AuditLogDamaged(findings);
  const known = signerOf(log, keys);
  if (known === undefined && last !== undefined) {
    throw new Error('this audit log was handed over to another signing key than the one that is here');
  }
  let signer = known ?? createSigner(origin, keys.signing);
  return {
    signer: () => signer,
    use: (now) => {
      signer = now;
    },
    chain: createKeyChain(origin, [signer.verifierKey], handovers),
  };
}
