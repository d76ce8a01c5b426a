import { notResponsible, type PeerCertificate, type Principal } from '@sallyport/core';
import type { AuthenticatorKind } from './kind.ts';
import type { CertificateRule } from './settings.ts';

/**
 * A client certificate that TLS has verified, of whoever presents nothing else: a SPIFFE id, or a subject or DNS name that the
 * configuration knows. The first rule that fits counts; a certificate that none names identifies nobody.
 *
 * Who presents a token as well is who the token says, if it is bound to this certificate or to none.
 */
export const mtls: AuthenticatorKind = {
  kind: 'mtls',
  create: ({ settings }) => ({
    authenticate({ presented, origin: { certificate } }) {
      if (presented.kind !== 'none' || certificate === undefined) return notResponsible;
      for (const rule of settings?.().certificates ?? []) {
        const name = matched(rule, certificate);
        if (name !== undefined) return toPrincipal(rule, rule.as ?? name, certificate);
      }
      return notResponsible;
    },
  }),
};

/** What of a certificate a rule is about, if it is about this one at all. */
function matched(rule: CertificateRule, certificate: PeerCertificate): string | undefined {
  if (rule.spiffe !== undefined) return matchesSpiffe(rule.spiffe, spiffeIdOf(certificate));
  if (rule.subject !== undefined)
    return rule.subject === certificate.subject ? `certificate:${rule.subject}` : undefined;
  const { dns } = rule;
  if (dns === undefined) return undefined;
  return certificate.dnsNames.some((name) => name.toLowerCase() === dns.toLowerCase())
    ? `certificate:${dns}`
    : undefined;
}

/** X.509-SVID §2 and §5.2: exactly one URI in the certificate, and it is the id. */
function spiffeIdOf({ uris }: PeerCertificate): string | undefined {
  const [id, ...more] = uris;
  return id !== undefined && more.length === 0 && spiffeId.test(id) ? id : undefined;
}

/** SPIFFE-ID §2: a trust domain and a path of segments without escapes. */
const spiffeId = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/;

/** `*` stands for one segment of the path, and at the end for one or more. */
function matchesSpiffe(pattern: string, id: string | undefined): string | undefined {
  if (id === undefined) return undefined;
  const wanted = pattern.split('/');
  const given = id.split('/');
  const isOpen = wanted.at(-1) === '*';
  if (isOpen ? given.length < wanted.length : given.length !== wanted.length) return undefined;
  const fits = wanted.every((part, at) => part === given[at] || (part === '*' && at > 2));
  return fits ? id : undefined;
}

function toPrincipal(
  { kind, tenant, scopes }: CertificateRule,
  subject: string,
  { thumbprint }: PeerCertificate,
): Principal {
  return {
    subject,
    client: subject,
    ...(tenant !== undefined && { tenant }),
    kind,
    scopes,
    attributes: {},
    method: mtls.kind,
    credentialId: `certificate:${thumbprint}`,
  };
}
