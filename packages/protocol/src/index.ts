export type { ErrorCode } from './error-code.ts';
export * from './gathering.ts';
export * from './header-value.ts';
export * from './hop/index.ts';
export * from './json.ts';
export * from './json-rpc.ts';
export * from './manifest.ts';
export * from './mcp.ts';
export * from './mcp-inbound.ts';
export * from './mcp-result.ts';
export * from './names.ts';
export * from './relay/index.ts';
export { isDeeperThan, schemaFault } from './schema-bounds.ts';
export * from './scopes.ts';
export { hasTwin, suspiciousKeys } from './similar.ts';
export * from './splice.ts';
export * from './sse.ts';
export {
  type Envelope,
  isJsonObject,
  jsonRpcEnvelope,
  type Member,
  membersOf,
  memberText,
  parseStrict,
  parseUnique,
  type StrictJson,
  StrictJsonError,
  type StrictJsonProblem,
  type StrictOptions,
} from './strict-json.ts';
export * from './trace-context.ts';
