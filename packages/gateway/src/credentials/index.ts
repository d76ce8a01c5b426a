import type { CredentialSource } from '@sallyport/core';

/** The credential sources every gateway asks: none yet. An embedder may bring its own. */
export const credentialSources: readonly CredentialSource[] = [];
