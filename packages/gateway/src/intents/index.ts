export { createTokenExchange, type TokenEndpointDeps, type TokenRequest } from './endpoint.ts';
export { createExchange, type DrawnToken, type ExchangeDeps } from './exchange.ts';
export { createExchanges, type Exchanges } from './exchanges.ts';
export { exchangeGrant, type ResourceReader } from './form.ts';
export { exchangeManifest, exchangeTool } from './manifest.ts';
export type { IntentLimits } from './narrow.ts';
export type { TokenAnswer } from './refusal.ts';
export { type EndRecord, stateOf, timelineOf } from './timeline.ts';
