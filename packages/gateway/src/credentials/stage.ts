import type { CredentialSource, OutboundCredential, Permit, Stages } from '@sallyport/core';

const none: OutboundCredential = { kind: 'none' };

/** The first source that is responsible for the tool names the credential; without one, nothing is shown to the upstream. */
export function createCredential(sources: readonly CredentialSource[]): Stages['credential'] {
  if (sources.length === 0) return () => none;
  return (permit) => firstResponsible(sources, permit);
}

async function firstResponsible(sources: readonly CredentialSource[], permit: Permit): Promise<OutboundCredential> {
  for (const source of sources) {
    const credential = await source.credential(permit);
    if (credential !== undefined) return credential;
  }
  return none;
}
