import { GatewayError } from '@sallyport/core';
import type { Binding } from './binding.ts';
import type { ProofCheck } from './dpop.ts';
import type { Evidence } from './evidence.ts';
import type { DpopSettings } from './settings.ts';

/** A token that was found good, and who comes with it. */
export interface Carried {
  readonly evidence: Evidence;
  readonly binding: Binding | undefined;
  readonly requireBinding: boolean;
  readonly tokenHash: string;
  readonly publicUrl: string | undefined;
  readonly dpop: DpopSettings;
}

/**
 * Makes sure that who comes with a token is who it was given to: bound ones need the certificate (RFC 8705 §3) or the proof
 * (RFC 9449 §7) they are bound to. One that is bound to a key is refused under `Bearer`, as one that is not is under `DPoP`.
 *
 * @throws GatewayError `credential_invalid`, or what the check of proofs refuses with.
 */
export function provePossession(carried: Carried, proofs: ProofCheck): Promise<void> | undefined {
  const { evidence, binding, requireBinding, tokenHash, publicUrl, dpop: settings } = carried;
  const { presented, origin } = evidence;
  const isDpop = presented.kind === 'bearer' && presented.scheme === 'dpop';
  if (isDpop !== (binding?.jkt !== undefined)) throw new GatewayError('credential_invalid');
  if (requireBinding && binding === undefined) throw new GatewayError('credential_invalid');
  if (binding?.certificate !== undefined && origin.certificate?.thumbprint !== binding.certificate) {
    throw new GatewayError('credential_invalid');
  }
  if (binding?.jkt === undefined) return undefined;
  return proofs.check({ http: origin.http, tokenHash, jkt: binding.jkt, publicUrl, settings });
}
