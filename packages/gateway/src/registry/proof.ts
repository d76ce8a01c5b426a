import { createAcceptor, createDialer, type HopCredential, proofTimeoutMs } from '@sallyport/protocol';
import { hopCrypto } from './hop-crypto.ts';
import type { HopLink } from './hop-link.ts';

/** How long each side of a connection has to prove itself, and then to announce. */
export interface ProofTiming {
  readonly proofMs?: number;
}

/**
 * Demands a proof from whoever dialled. Calls back in the same turn as the proving line is read, so that nothing which
 * follows it is lost; without a good proof the link goes down instead.
 */
export function demandProof(
  link: HopLink,
  find: (id: string) => HopCredential | undefined,
  onProved: (credential: HopCredential) => void,
): void {
  const acceptor = createAcceptor(hopCrypto, find);
  link.read((line) => {
    const { reply, credential } = acceptor.accept(line);
    link.send(reply);
    if (credential === undefined) return link.end();
    link.trust();
    onProved(credential);
  });
  link.send(acceptor.challenge);
}

/** Proves itself to whom it dialled, and demands the same. Calls back as `demandProof` does. */
export function giveProof(link: HopLink, credential: HopCredential, onProved: () => void): void {
  const dialer = createDialer(hopCrypto, credential);
  link.read((challenge) => {
    const answer = dialer.answer(challenge);
    if (answer === undefined) return link.destroy();
    link.read((proof) => {
      if (!dialer.verify(proof)) return link.destroy();
      link.trust();
      onProved();
    });
    link.send(answer);
  });
}

/** Takes the link down if it is not released in time: a stranger may not hold it open. Returns the release. */
export function limitProof(link: HopLink, timing: ProofTiming = {}): () => void {
  const clock = setTimeout(link.destroy, timing.proofMs ?? proofTimeoutMs);
  const release = () => clearTimeout(clock);
  link.onDown(release);
  return release;
}
