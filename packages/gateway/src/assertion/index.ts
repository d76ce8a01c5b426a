export { callClaims, digest, requestClaims, type StatedRequest } from './claims.ts';
export {
  createKeyRing,
  type KeptKey,
  type KeyRing,
  type KeyRingFacts,
  type KeyRingOptions,
  type KeySealer,
  type KeyStore,
  type KeyTiming,
  type SigningKey,
} from './keys.ts';
export { createStatements, type State, type Statements, type StatementsOptions, statementType } from './statements.ts';
