export { type ChallengeOptions, challengeHeaders } from './challenge.ts';
export {
  baselineScopes,
  type ProtectedResource,
  resourceMetadata,
  resourceMetadataUrl,
  resourcePathOf,
} from './metadata.ts';
