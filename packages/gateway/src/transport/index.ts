export type { Readiness, TransportDeps } from './deps.ts';
export {
  createEmbedded,
  type Embedded,
  type EmbeddedCall,
  type EmbeddedCaller,
  type EmbeddedResult,
} from './embedded.ts';
export { createHttp, type HttpOptions, type HttpTransport } from './http.ts';
export { createToolText } from './listing-text.ts';
export { type StdioOptions, serveStdio } from './stdio.ts';
export { type BridgeOptions, bridgeStdio } from './stdio-bridge.ts';
export type { TlsSettings } from './tls.ts';
