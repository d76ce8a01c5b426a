import type { OutboundCredential } from '@sallyport/core';
import type { ReadSecret } from './client.ts';
import { asRefusal } from './failure.ts';
import type { CredentialSettings } from './settings.ts';
import type { UpstreamCredential } from './source.ts';

/** A secret of the upstream's own, the same for every call; read anew each time, so that a replaced one counts at once. */
export function createStaticCredential(
  service: string,
  settings: Extract<CredentialSettings, { kind: 'bearer' | 'header' }>,
  readSecret: ReadSecret,
): UpstreamCredential {
  const credential = (): Promise<OutboundCredential> =>
    asRefusal(service, async () =>
      settings.kind === 'bearer'
        ? { kind: 'bearer', token: readSecret(settings.token) }
        : { kind: 'header', name: settings.name, value: readSecret(settings.value) },
    );
  return { forCall: credential, forItself: credential };
}
