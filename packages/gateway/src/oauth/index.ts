export { type ChallengeOptions, challengeHeaders } from './challenge.ts';
export { AddressRefused, type CheckedFetch, createCheckedFetch, isPublic } from './checked-fetch.ts';
export {
  baselineScopes,
  type ProtectedResource,
  resourceMetadata,
  resourceMetadataUrl,
  resourcePathOf,
} from './metadata.ts';
