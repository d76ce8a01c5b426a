import { dotted } from './findings.ts';
import { configSchema } from './schema.ts';
import type { Finding } from './source.ts';
import { nearest } from './suggest.ts';

/** What of `auth:` has to fit the rest of the file: a way in that nobody could take, or that leads nowhere, is a mistake. */
export function checkAuth(data: Record<string, unknown>): readonly Finding[] {
  const auth = configSchema.shape.auth.safeParse(data.auth).data;
  if (auth === undefined) return [];
  return [...checkAnonymous(auth, data), ...checkCertificates(auth, data), ...checkClientAuth(data)];
}

type Auth = NonNullable<ReturnType<typeof configSchema.shape.auth.safeParse>['data']>;

function checkAnonymous({ anonymous }: Auth, data: Record<string, unknown>): readonly Finding[] {
  const views = Object.keys(configSchema.shape.views.safeParse(data.views).data ?? {});
  return anonymous.flatMap(({ view }, index) => {
    if (views.includes(view)) return [];
    const near = nearest(view, views);
    const hint = near === undefined ? '' : `; did you mean "${near}"?`;
    const path = ['auth', 'anonymous', index, 'view'];
    return [{ path, part: 'value' as const, message: `${dotted(path)}: "${view}" is not in views${hint}` }];
  });
}

function checkCertificates(
  { certificates, certificateProxies }: Auth,
  data: Record<string, unknown>,
): readonly Finding[] {
  const tls = configSchema.shape.listen.safeParse(data.listen).data?.tls;
  if (certificates.length === 0 || tls?.clientCa !== undefined || certificateProxies.length > 0) return [];
  const path = ['auth', 'certificates'];
  const message = `${dotted(path)}: nobody is asked for a certificate; add listen.tls.clientCa, or name the proxy that asks in auth.certificateProxies`;
  return [{ path, part: 'key', message }];
}

function checkClientAuth(data: Record<string, unknown>): readonly Finding[] {
  const tls = configSchema.shape.listen.safeParse(data.listen).data?.tls;
  if (tls?.clientAuth !== 'optional' || tls.clientCa !== undefined) return [];
  const path = ['listen', 'tls', 'clientAuth'];
  return [
    { path, part: 'key', message: `${dotted(path)}: goes with clientCa, which says whose certificates are taken` },
  ];
}
