import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import { toPeerCertificate } from '../authentication/peer-certificate.ts';
import type { GatewayConfig, TlsFiles } from '../config/index.ts';
import { loadTls, watchTls } from '../config/tls.ts';
import type { MutualTls } from '../registry/mutual-listener.ts';

type AnnounceMtls = NonNullable<GatewayConfig['announce']['mtls']>;

/** What announcing with certificates needs. */
export interface AnnounceMtlsParts {
  /** As it was at the start: where it listens does not change while it runs. */
  readonly config: GatewayConfig;
  /** Which certificates may announce what, as the configuration says now. */
  readonly services: () => AnnounceMtls['services'];
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Reads what the listener for services with certificates needs; `undefined` where there is none. @throws TlsError */
export async function announceMtls(parts: AnnounceMtlsParts): Promise<MutualTls | undefined> {
  const { config, services, nowMs } = parts;
  const { mtls } = config.announce;
  if (mtls === undefined) return undefined;
  const { context } = await loadTls(mtls.files, nowMs());
  return {
    address: mtls.listen,
    context,
    follow: (reload) => follow(mtls.files, parts, reload),
    services: () => Object.keys(services()),
    servicesOf: (certificate) => servicesOf(certificate, services(), nowMs()),
  };
}

/** Shows new certificates when the files change. Returns the way to stop. */
function follow(
  files: TlsFiles,
  { nowMs, log }: AnnounceMtlsParts,
  reload: Parameters<NonNullable<MutualTls['follow']>>[0],
): () => void {
  const stopping = new AbortController();
  watchTls(files, {
    ...{ nowMs, signal: stopping.signal },
    onReload({ context, warnings }) {
      reload(context);
      for (const warning of warnings) log.warn(warning);
    },
    onError: (err) => log.error({ err }, 'the new certificate for services cannot be used; the one before stays'),
  });
  return () => stopping.abort();
}

/**
 * The names that a certificate may claim: whole SPIFFE ids and whole subjects, compared byte for byte. A certificate with several
 * URIs has no SPIFFE id (X.509-SVID §2), and one that is over has no name at all.
 */
function servicesOf(
  certificate: X509Certificate,
  services: AnnounceMtls['services'],
  nowMs: number,
): readonly string[] {
  const { subject, uris } = toPeerCertificate(certificate);
  const [id = '', ...others] = uris;
  const isValid = Date.parse(certificate.validFrom) <= nowMs && nowMs < Date.parse(certificate.validTo);
  if (!isValid) return [];
  const isNamed = (name: string): boolean =>
    name.startsWith('spiffe://') ? others.length === 0 && name === id : name === subject;
  return Object.keys(services).filter((service) => services[service]?.some(isNamed));
}
