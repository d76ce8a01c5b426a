import type { Server, Socket } from 'node:net';
import type { HopCredential } from '@sallyport/protocol';
import type { HopAddress } from './address.ts';
import { connectMutually, type HopCertificates, listenMutually, readAll } from './mutual.ts';
import { listenForStreams, openStream } from './streams.ts';

/** A stream to a gateway, and what both ends are to prove that they have. */
export interface Connected {
  readonly stream: Socket;
  readonly credential: HopCredential;
}

/** How a service proves who it is: with a key, or with a certificate. */
export interface HopIdentity {
  readonly service: string;
  /** Read again for every connection: there may be a new one. */
  readonly credential: () => Promise<HopCredential>;
  readonly certificates: HopCertificates | undefined;
}

/** Opens a stream to a gateway. */
export async function connectTo(address: HopAddress, identity: HopIdentity): Promise<Connected> {
  if (address.kind === 'mtls') return connectMutually(address, identity.service, needCertificates(identity));
  const credential = await identity.credential();
  return { credential, stream: await openStream(address, credential) };
}

/** Listens for gateways. Resolves when it listens. */
export async function listenAt(
  address: HopAddress,
  identity: HopIdentity,
  onConnected: (connected: Connected) => void,
): Promise<Server> {
  if (address.kind === 'mtls') {
    const { service } = identity;
    return listenMutually(address, { service, certificates: needCertificates(identity) }, onConnected);
  }
  const credential = await identity.credential();
  return listenForStreams(address, credential, (stream) => onConnected({ stream, credential }));
}

/** Finds out early that there is nothing to prove anything with. @throws Error naming what is missing. */
export async function checkIdentity(address: HopAddress, identity: HopIdentity): Promise<void> {
  await (address.kind === 'mtls' ? readAll(needCertificates(identity)) : identity.credential());
}

function needCertificates({ certificates }: HopIdentity): HopCertificates {
  if (certificates === undefined) {
    throw new Error('A hop over mtls: needs SALLYPORT_TLS_CERT, SALLYPORT_TLS_KEY and SALLYPORT_TLS_CA');
  }
  return certificates;
}
