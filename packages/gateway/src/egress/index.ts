export { type AllowedAddresses, createAddressCheck } from './addresses.ts';
export {
  type Connect,
  type ConnectTarget,
  createGuardedConnector,
  EgressError,
  type GuardedConnectorOptions,
  type Resolve,
} from './connect.ts';
export {
  createGuardedFetch,
  type Guarded,
  type GuardedFetch,
  type GuardedFetchOptions,
  type GuardedRequest,
} from './guarded-fetch.ts';
