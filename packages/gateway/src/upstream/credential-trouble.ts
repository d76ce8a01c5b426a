import type { GatewayError, OutboundCredential } from '@sallyport/core';

type Consent = Extract<OutboundCredential, { kind: 'consent' }>;

/** What is the matter: somebody has to agree first, the upstream took nothing that was shown to it, or there is nothing to show. */
export type Trouble = { readonly given: OutboundCredential } & (
  | { readonly kind: 'consent'; readonly consent: Consent }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'missing'; readonly error: GatewayError }
);

/** Nothing was done at the upstream for want of a credential. `given` tells whose want it is. */
export class CredentialTrouble extends Error {
  override readonly name = 'CredentialTrouble';
  readonly trouble: Trouble;

  constructor(trouble: Trouble) {
    super(textOf(trouble), trouble.kind === 'missing' ? { cause: trouble.error.cause } : undefined);
    this.trouble = trouble;
  }
}

function textOf(trouble: Trouble): string {
  if (trouble.kind === 'consent') return trouble.consent.message;
  if (trouble.kind === 'refused') return `the credential was refused with HTTP ${trouble.status}`;
  return trouble.error.details.issues?.join(' ') ?? trouble.error.message;
}

/** The trouble at the bottom of an error, if that is what it is. */
export function troubleIn(thrown: unknown): Trouble | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    if (error instanceof CredentialTrouble) return error.trouble;
  }
  return undefined;
}
