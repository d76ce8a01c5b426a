import type { OutboundCredential } from '@sallyport/core';

type Consent = Extract<OutboundCredential, { kind: 'consent' }>;

/** What is the matter: somebody has to agree first, or the upstream took nothing that was shown to it. */
export type Trouble = { readonly given: OutboundCredential } & (
  | { readonly kind: 'consent'; readonly consent: Consent }
  | { readonly kind: 'refused'; readonly status: number }
);

/** Nothing was done at the upstream for want of a credential. `given` tells whose want it is. */
export class CredentialTrouble extends Error {
  override readonly name = 'CredentialTrouble';
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(
      trouble.kind === 'consent' ? trouble.consent.message : `the credential was refused with HTTP ${trouble.status}`,
    );
    this.trouble = trouble;
  }
}

/** The trouble at the bottom of an error, if that is what it is. */
export function troubleIn(thrown: unknown): Trouble | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    if (error instanceof CredentialTrouble) return error.trouble;
  }
  return undefined;
}
