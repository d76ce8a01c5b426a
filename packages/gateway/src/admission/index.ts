export { boundHostsOf, type HostOriginOptions, hostOrigin } from './host-origin.ts';
export type { AdmissionCheck, Arrival } from './kind.ts';
export { loopbackFactor, type PeerFloodOptions, peerFlood } from './peer-flood.ts';
export { createAdmit } from './stage.ts';
export { createIsTrusted, createPeerOf, type PeerOf } from './trusted-proxies.ts';
