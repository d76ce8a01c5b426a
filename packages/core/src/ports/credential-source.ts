import type { Permit } from '../permit.ts';
import type { OutboundCredential } from './upstream.ts';

/** Finds what the gateway shows to an upstream. Returns `undefined` when it is not responsible for this tool. */
export interface CredentialSource {
  credential(permit: Permit): OutboundCredential | undefined | Promise<OutboundCredential | undefined>;
}
