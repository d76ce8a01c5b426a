import { AuditLogDamaged } from './damaged.ts';
import type { Handover } from './handover.ts';
import { createKeyChain, type KeyChain } from './key-chain.ts';
import { createSigner, type Signer } from './note.ts';
import type { AuditKeys } from './seal.ts';

/** Who signs for a log. */
export interface Signing {
  signer(): Signer;
  use(next: Signer): void;
  readonly chain: KeyChain;
}

/** The key that the log has come to, which may be the next one already: then whoever keeps the keys has not heard of it yet. */
export function createSigning(
  origin: string,
  { signing, nextSigning }: AuditKeys,
  handovers: readonly Handover[],
): Signing {
  const first = createSigner(origin, signing);
  const next = nextSigning && createSigner(origin, nextSigning);
  const { last, findings } = createKeyChain(origin, [], handovers);
  if (findings.length > 0) throw new AuditLogDamaged(findings);
  let signer = next !== undefined && next.verifierKey === last ? next : first;
  if (last !== undefined && signer.verifierKey !== last) {
    throw new Error('this audit log was handed over to another signing key than the one that is here');
  }
  return {
    signer: () => signer,
    use: (now) => {
      signer = now;
    },
    chain: createKeyChain(origin, [signer.verifierKey], handovers),
  };
}
