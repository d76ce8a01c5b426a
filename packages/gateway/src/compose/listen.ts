import type { Registry } from '@sallyport/core';
import type { Logger } from 'pino';
import type { GatewayConfig, TlsFiles } from '../config/index.ts';
import { loadTls, type TlsMaterial, watchTls } from '../config/tls.ts';
import type { Sealer } from '../secrets/index.ts';
import type { TransportDeps } from '../transport/deps.ts';
import { createHttp, type HttpTransport } from '../transport/http.ts';
import type { TlsSettings } from '../transport/tls.ts';
import type { IdentityFacts } from './identity.ts';
import type { Lifetime } from './lifetime.ts';
import type { Plane } from './plane.ts';
import { transportDeps } from './serving.ts';

/** What listening for agents needs. */
export interface AgentListener {
  readonly config: GatewayConfig;
  readonly plane: Plane;
  readonly registry: Registry;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly life: Lifetime;
  readonly sealer: Sealer;
  readonly nameStyle: TransportDeps['nameStyle'];
  readonly identity: IdentityFacts;
  readonly newTrace: TransportDeps['newTrace'];
  /** The longest that a caller is kept while its call waits for somebody, in milliseconds. */
  readonly waitMs: () => number;
  /** Whether calls may have to wait for somebody at all. */
  readonly mayWait: () => boolean;
}

/** Listens where the configuration says. Returns the MCP endpoint. @throws Error when the port or a file cannot be used. */
export async function listenForAgents(listener: AgentListener): Promise<URL> {
  const { config, plane, registry, nowMs, log, life, sealer, nameStyle, identity, newTrace, waitMs, mayWait } =
    listener;
  const { limits, listen, trustedProxies, publicUrl } = config;
  const { serverCards } = config.catalog;
  const { maxRequestBytes } = limits;
  const tls = listen.tls && (await loadTls(listen.tls, nowMs()));
  const http = createHttp(
    transportDeps(plane, {
      registry,
      log,
      nowMs,
      maxRequestBytes,
      trustedProxies,
      sealer,
      nameStyle,
      publicUrl,
      serverCards,
      ...{ identity, newTrace, waitMs, mayWait },
    }),
    {
      maxConnections: limits.maxConnections,
      headersTimeoutMs: limits.headersTimeoutMs,
      requestTimeoutMs: limits.requestTimeoutMs,
      sessions: limits.sessions,
      ...(tls && { tls: tlsSettings(tls) }),
    },
  );
  life.onClose(() => http.close());
  if (listen.tls) followCertificates(listener, listen.tls, http);
  return mcpUrl(await http.listen(listen), listen.tls !== undefined);
}

/** The MCP endpoint of a listener. */
export function mcpUrl({ host, port }: { readonly host: string; readonly port: number }, isTls: boolean): URL {
  return new URL(`${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}/mcp`);
}

function followCertificates({ nowMs, log, life }: AgentListener, files: TlsFiles, http: HttpTransport): void {
  const stopping = new AbortController();
  life.onClose(() => stopping.abort());
  watchTls(files, {
    nowMs,
    signal: stopping.signal,
    onReload(material) {
      http.reload(tlsSettings(material));
      for (const warning of material.warnings) log.warn(warning);
    },
    onError: (err) => log.error({ err }, 'the new certificate cannot be used; the one before stays'),
  });
}

/** Certificates as they were checked, in the words of the transport. */
function tlsSettings({ context: { cert, key, ca, minVersion }, rejectUnauthorized }: TlsMaterial): TlsSettings {
  return {
    cert: cert as Buffer,
    key: key as Buffer,
    ...(ca !== undefined && { clientCa: ca as Buffer }),
    ...(minVersion !== undefined && { minVersion }),
    clientAuth: rejectUnauthorized ? ('required' as const) : ('optional' as const),
  };
}
