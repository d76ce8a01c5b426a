import type { OutboundCredential, Permit } from '@sallyport/core';

/** What the gateway shows to one upstream. */
export interface UpstreamCredential {
  /** For a permitted call. @throws GatewayError `credential_unavailable` */
  forCall(permit: Permit): Promise<OutboundCredential>;
  /** For what the gateway asks for itself: lists, and news of them. @throws GatewayError `credential_unavailable` */
  forItself(): Promise<OutboundCredential>;
}
