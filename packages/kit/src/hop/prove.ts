import {
  createAcceptor,
  createDialer,
  type HopCredential,
  maxLineLength,
  type ProofCrypto,
  proofTimeoutMs,
} from '@sallyport/protocol';
import type { Wire } from './wire.ts';

/** What a proof needs. */
export interface ProofOptions {
  readonly crypto: ProofCrypto;
  readonly credential: HopCredential;
  /** Called in the very turn in which both sides have proved themselves; more lines may follow at once. */
  readonly onProved: () => void;
}

/** Runs the proof as the side that opened the connection. Destroys the wire when it fails or takes too long. */
export function proveAsDialer(wire: Wire, { crypto, credential, onProved }: ProofOptions): void {
  const dialer = createDialer(crypto, credential);
  const timer = limit(wire);
  let answered = false;
  wire.read((line) => {
    if (!answered) {
      answered = true;
      const prove = dialer.answer(line);
      if (prove === undefined) wire.destroy('the gateway speaks no hop that this service knows');
      else wire.send(prove);
      return;
    }
    clearTimeout(timer);
    if (!dialer.verify(line)) return wire.destroy('the proof failed: the credential is not the same on both sides');
    wire.allow(maxLineLength);
    onProved();
  });
}

/** Runs the proof as the side that listens. Destroys the wire when it fails or takes too long. */
export function proveAsAcceptor(wire: Wire, { crypto, credential, onProved }: ProofOptions): void {
  const acceptor = createAcceptor(crypto, (id) => (id === credential.id ? credential : undefined));
  const timer = limit(wire);
  wire.send(acceptor.challenge);
  wire.read((line) => {
    clearTimeout(timer);
    const { reply, credential: proved } = acceptor.accept(line);
    wire.send(reply);
    if (proved === undefined) {
      wire.read(() => undefined);
      wire.end();
      return;
    }
    wire.allow(maxLineLength);
    onProved();
  });
}

function limit(wire: Wire): NodeJS.Timeout {
  const timer = setTimeout(() => wire.destroy('the proof took too long'), proofTimeoutMs);
  void wire.closed.then(() => clearTimeout(timer));
  return timer;
}
