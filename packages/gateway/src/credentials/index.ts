import type { CredentialSource } from '@sallyport/core';

export { type BrowserAnswer, type BrowserRequest, signedInPath } from './callback.ts';
export type { OauthFetch } from './http.ts';
export { createReadSecret, secretPlaces } from './secret.ts';
export type { CredentialSettings, SecretPlace } from './settings.ts';
export {
  createUpstreamCredentials,
  type ListedGrant,
  type UpstreamCredentials,
  type UpstreamSettings,
} from './upstreams.ts';

/** The credential sources every gateway asks, whatever is configured: none. An embedder may bring its own. */
export const credentialSources: readonly CredentialSource[] = [];
