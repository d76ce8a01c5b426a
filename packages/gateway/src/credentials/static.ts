import type { OutboundCredential } from '@sallyport/core';
import type { ReadSecret } from './client.ts';
import { asRefusal, CredentialFailure } from './failure.ts';
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
        ? { kind: 'bearer', token: showable(readSecret(settings.token)) }
        : { kind: 'header', name: settings.name, value: showable(readSecret(settings.value)) },
    );
  return { forCall: credential, forItself: credential };
}

/** Printable ASCII: what does not fit a header would fail the request with words of others. */
function showable(secret: string): string {
  if (/^[\x20-\x7e]+$/.test(secret)) return secret;
  throw new CredentialFailure('no_secret', 'a secret has characters in it that cannot be shown in a header');
}
