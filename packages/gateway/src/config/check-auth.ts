import { dotted } from '../text/findings.ts';
import type { Finding } from '../text/source.ts';
import { nearest } from '../text/suggest.ts';
import { isLoopbackHost } from './fields.ts';
import { configSchema } from './schema.ts';

/** What of `auth:` has to fit the rest of the file: a way in that nobody could take, or that leads nowhere, is a mistake. */
export function checkAuth(data: Record<string, unknown>): readonly Finding[] {
  const auth = configSchema.shape.auth.safeParse(data.auth).data;
  if (auth === undefined) return [];
  return [
    ...checkAnonymous(auth, data),
    ...checkCertificates(auth, data),
    ...checkClientAuth(data),
    ...checkAudiences(auth, data),
    ...checkServer(auth, data),
  ];
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

/** The authorization server names everybody as this gateway does, and has to know the address it is known under. */
function checkServer({ server, issuers }: Auth, data: Record<string, unknown>): readonly Finding[] {
  if (server === undefined) return [];
  const path = ['auth', 'server'];
  const listen = configSchema.shape.listen.safeParse(data.listen).data;
  const isLost = data.publicUrl === undefined && listen !== undefined && !isLoopbackHost(listen.host);
  const message = `${dotted(path)}: needs publicUrl, the address under which agents and people know this gateway`;
  const same = Object.entries(issuers).filter(
    ([name, { prefix }]) =>
      prefix === '' ||
      name === 'built-in' ||
      prefix === `${server.upstream?.name}:` ||
      (prefix === undefined && name === server.upstream?.name),
  );
  return [
    ...(isLost ? [{ path, part: 'key' as const, message }] : []),
    ...same.map(([name]) => ({
      path: ['auth', 'issuers', name],
      part: 'key' as const,
      message: `${dotted(['auth', 'issuers', name])}: its subjects could not be told from those of auth.server; give it another name or prefix`,
    })),
  ];
}

/** Without an address of its own, and without audiences, there is nothing that a token could be meant for. */
function checkAudiences({ issuers }: Auth, data: Record<string, unknown>): readonly Finding[] {
  const { shape } = configSchema;
  const listen = shape.listen.safeParse(data.listen).data;
  const publicUrl = shape.publicUrl.safeParse(data.publicUrl).data;
  if (publicUrl !== undefined || listen === undefined || isLoopbackHost(listen.host)) return [];
  return Object.entries(issuers).flatMap(([name, { audiences }]) => {
    if (audiences.length > 0) return [];
    const path = ['auth', 'issuers', name];
    const message = `${dotted(path)}: none of its tokens could be meant for this gateway; say how agents call it in publicUrl, or name audiences`;
    return [{ path, part: 'key' as const, message }];
  });
}

function checkClientAuth(data: Record<string, unknown>): readonly Finding[] {
  const tls = configSchema.shape.listen.safeParse(data.listen).data?.tls;
  if (tls?.clientAuth !== 'optional' || tls.clientCa !== undefined) return [];
  const path = ['listen', 'tls', 'clientAuth'];
  return [
    { path, part: 'key', message: `${dotted(path)}: goes with clientCa, which says whose certificates are taken` },
  ];
}
