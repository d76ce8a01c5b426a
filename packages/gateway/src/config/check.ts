import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { dotted } from '../text/findings.ts';
import type { Finding } from '../text/source.ts';
import { nearest } from '../text/suggest.ts';
import { checkAuth } from './check-auth.ts';
import { isLoopbackHost } from './fields.ts';
import { configSchema } from './schema.ts';
import { serviceSchema } from './service-schema.ts';

type Service = z.output<typeof serviceSchema>;
type Path = readonly PropertyKey[];

/** What has to hold across keys, and on the disk. Takes the data as read and skips what the schema already refused. */
export async function checkConfig(data: unknown, folder: string): Promise<readonly Finding[]> {
  if (typeof data !== 'object' || data === null) return [];
  const services = readServices((data as Record<string, unknown>).services);
  return [
    ...checkListeners(data as Record<string, unknown>),
    ...checkMasterKey(data as Record<string, unknown>),
    ...checkAudit(data as Record<string, unknown>),
    ...[...services].flatMap(([name, service]) => checkShape(service, ['services', name])),
    ...checkDependencies(services),
    ...checkLimits((data as Record<string, unknown>).tools),
    ...checkViews((data as Record<string, unknown>).views),
    ...checkAuth(data as Record<string, unknown>),
    ...(await checkFiles(filesIn(data as Record<string, unknown>, services), folder)),
  ];
}

function readServices(data: unknown): ReadonlyMap<string, Service> {
  const services = new Map<string, Service>();
  for (const [name, value] of entries(data)) {
    const parsed = serviceSchema.safeParse(value);
    if (parsed.success) services.set(name, parsed.data);
  }
  return services;
}

function checkListeners(data: Record<string, unknown>): readonly Finding[] {
  const { shape } = configSchema;
  const listen = shape.listen.safeParse(data.listen).data;
  const admin = shape.admin.safeParse(data.admin).data;
  const proxies = shape.trustedProxies.safeParse(data.trustedProxies).data;
  const findings: Finding[] = [];
  if (listen && !isLoopbackHost(listen.host) && listen.tls === undefined && proxies?.length === 0) {
    const message = `listen.host: ${listen.host} can be reached from other machines, and without TLS tokens could be read on the way; add listen.tls, or name the proxy that does TLS in trustedProxies`;
    findings.push({ path: ['listen', 'host'], part: 'value', message });
  }
  if (admin && !isLoopbackHost(admin.host)) {
    const message = `admin.host: ${admin.host} can be reached from other machines; administration is for this machine only, reach it through a tunnel`;
    findings.push({ path: ['admin', 'host'], part: 'value', message });
  }
  if (listen && admin && listen.port !== 0 && listen.port === admin.port) {
    const message = `admin.port: ${admin.port} is the port of listen; administration needs one of its own`;
    findings.push({ path: ['admin', 'port'], part: 'value', message });
  }
  return findings;
}

function checkMasterKey({ masterKeyFile, masterKey }: Record<string, unknown>): readonly Finding[] {
  if (masterKeyFile === undefined || masterKey === undefined) return [];
  const message = 'masterKey: the key is in one place, here or at masterKeyFile; leave out the other';
  return [{ path: ['masterKey'], part: 'key', message }];
}

function checkAudit(data: Record<string, unknown>): readonly Finding[] {
  const { shape } = configSchema;
  const store = shape.store.safeParse(data.store).data?.kind;
  const audit = shape.audit.safeParse(data.audit).data;
  if (store === undefined || audit === undefined) return [];
  if (audit.store === 'postgres' && store === 'sqlite') {
    const message = 'audit.store: postgres needs the database of store; set store.kind: postgres, and store.url';
    return [{ path: ['audit', 'store'], part: 'value', message }];
  }
  if (audit.name !== undefined && (audit.store ?? store) === 'sqlite') {
    const message = 'audit.name: a log in a file needs no name; it goes with a log in PostgreSQL';
    return [{ path: ['audit', 'name'], part: 'key', message }];
  }
  return [];
}

/** Which keys go with what, and how to say so; `address` alone takes those of both its kinds. */
const kinds = ['command', 'stdio', 'address'] as const;
const belongsTo: Readonly<Record<string, readonly (typeof kinds)[number][]>> = {
  cwd: ['command', 'stdio'],
  env: ['command', 'stdio'],
  watch: ['command'],
  instances: ['command'],
  isolation: ['stdio'],
  processes: ['stdio'],
  startTimeout: ['stdio'],
  methods: ['stdio', 'address'],
  assertion: ['address'],
  certificates: ['address'],
};

function checkShape(service: Service, path: Path): readonly Finding[] {
  const where = dotted(path);
  const at = (key: string, message: string): Finding => ({
    path: [...path, key],
    part: 'key',
    message: `${where}: ${message}`,
  });
  const [kind, other] = kinds.filter((key) => service[key] !== undefined);
  if (kind === undefined) {
    const message = `${where}: has neither command nor stdio (to start it) nor address (where it runs)`;
    return [{ path, part: 'key', message }];
  }
  if (other !== undefined) return [at(other, `has both ${kind} and ${other}; keep one`)];
  const misplaced = Object.entries(belongsTo)
    .filter(([key, owners]) => key in service && service[key as keyof Service] !== undefined && !owners.includes(kind))
    .map(([key, owners]) => at(key, `${key} goes with ${owners.join(' or ')}, not with ${kind}`));
  return [...misplaced, ...checkCredential(service, at), ...checkStdio(service, at), ...checkEnvironment(service, at)];
}

type At = (key: string, message: string) => Finding;

function checkCredential({ command, address, credential, certificates }: Service, at: At): readonly Finding[] {
  if (address === undefined) {
    if (credential === undefined) return [];
    const why = command === undefined ? 'what stdio needs goes into env' : 'a command gets one made for it';
    return [at('credential', `credential goes with address; ${why}`)];
  }
  if (address.startsWith('mtls:')) {
    if (credential !== undefined) return [at('credential', 'an mtls: address has certificates, and no credential')];
    return certificates === undefined ? [at('address', 'an mtls: address needs certificates')] : [];
  }
  if (certificates !== undefined) return [at('certificates', 'certificates goes with an mtls: address')];
  const isKit = !address.startsWith('http');
  if (isKit && credential === undefined) return [at('address', 'a unix: or tls: address needs a credential')];
  if (!isKit && typeof credential === 'string') {
    return [at('credential', 'a credential file goes with a unix: or tls: address; for a URL write { kind: … }')];
  }
  if (isKit && typeof credential === 'object') {
    return [
      at('credential', 'a unix: or tls: address needs the path of a credential file; { kind: … } goes with a URL'),
    ];
  }
  return [];
}

function checkEnvironment({ command, env = {} }: Service, at: At): readonly Finding[] {
  const isNamed = Object.values(env).some((value) => typeof value === 'object');
  return command !== undefined && isNamed ? [at('env', 'named secrets go with stdio, not with command')] : [];
}

function checkStdio({ address, methods, assertion, isolation, processes }: Service, at: At): readonly Finding[] {
  const isKit = address !== undefined && !address.startsWith('http');
  if (isKit && assertion !== undefined) {
    return [at('assertion', 'assertion goes with the URL of an MCP server; a unix: or tls: address has it anyway')];
  }
  if (isKit && methods !== undefined) return [at('methods', 'methods goes with stdio or the URL of an MCP server')];
  if (processes !== undefined && isolation !== 'caller') {
    return [at('processes', 'processes goes with isolation: caller; a shared service has one')];
  }
  return [];
}

function checkDependencies(services: ReadonlyMap<string, Service>): readonly Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  for (const [name, { dependsOn }] of services) {
    for (const [index, needed] of dependsOn.entries()) {
      if (services.has(needed)) continue;
      const near = nearest(needed, [...services.keys()]);
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      const message = `services.${name}: depends on "${needed}", which is not in services${hint}`;
      findings.push({ path: ['services', name, 'dependsOn', index], part: 'value', message });
    }
    const cycle = findCycle(name, services, done);
    if (cycle) {
      const message = `services.${name}: these wait for each other: ${cycle.join(' → ')}`;
      findings.push({ path: ['services', name, 'dependsOn'], part: 'value', message });
    }
  }
  return findings;
}

/** The first circle that can be reached from here; what was walked before is not walked again, so each is told once. */
function findCycle(start: string, services: ReadonlyMap<string, Service>, done: Set<string>): string[] | undefined {
  const trail: string[] = [];
  const walk = (name: string): string[] | undefined => {
    const at = trail.indexOf(name);
    if (at !== -1) return [...trail.slice(at), name];
    if (done.has(name)) return undefined;
    trail.push(name);
    for (const next of services.get(name)?.dependsOn ?? []) {
      const cycle = walk(next);
      if (cycle) return cycle;
    }
    trail.pop();
    done.add(name);
    return undefined;
  };
  const cycle = walk(start);
  for (const name of trail) done.add(name);
  return cycle;
}

function checkLimits(tools: unknown): readonly Finding[] {
  return [...entries(tools)].flatMap(([pattern, override]) => {
    const limit = new Map(entries(override)).get('limit');
    const keys = new Map(entries(limit));
    const path = ['tools', pattern, 'limit'];
    if (keys.has('preset') && keys.has('rate')) {
      return [
        {
          path: [...path, 'rate'],
          part: 'key' as const,
          message: `${dotted(path)}: has both preset and rate; keep one`,
        },
      ];
    }
    if (keys.has('burst') && !keys.has('rate')) {
      return [{ path: [...path, 'burst'], part: 'key' as const, message: `${dotted(path)}: burst needs a rate` }];
    }
    return [];
  });
}

function checkViews(data: unknown): readonly Finding[] {
  return entries(configSchema.shape.views.safeParse(data).data).flatMap(([name, view]) => {
    const { tools, prompts, resources } = view as { readonly [what: string]: readonly string[] };
    if ([tools, prompts, resources].some((patterns) => patterns !== undefined && patterns.length > 0)) return [];
    const path = ['views', name];
    return [
      { path, part: 'key' as const, message: `${dotted(path)}: shows nothing; name tools, prompts or resources` },
    ];
  });
}

interface NamedFile {
  readonly path: Path;
  readonly file: string;
  readonly kind: 'file' | 'folder' | 'file or folder';
  readonly what: string;
}

function policyFiles(policy: unknown): readonly NamedFile[] {
  const { files = [] } = configSchema.shape.policy.safeParse(policy).data ?? {};
  return files.map((file, index) => ({
    ...{ path: ['policy', 'files', index], file, kind: 'file or folder', what: 'file or folder' },
  }));
}

function filesIn(data: Record<string, unknown>, services: ReadonlyMap<string, Service>): readonly NamedFile[] {
  const { shape } = configSchema;
  const tls = shape.listen.safeParse(data.listen).data?.tls;
  const announce = shape.announce.safeParse(data.announce).data;
  const files: NamedFile[] = [...policyFiles(data.policy)];
  for (const key of ['cert', 'key', 'clientCa'] as const) {
    const file = tls?.[key];
    if (file !== undefined) files.push({ path: ['listen', 'tls', key], file, kind: 'file', what: 'PEM file' });
  }
  for (const key of ['cert', 'key', 'clientCa'] as const) {
    const file = announce?.mtls?.[key];
    if (file !== undefined) files.push({ path: ['announce', 'mtls', key], file, kind: 'file', what: 'PEM file' });
  }
  for (const [index, { file }] of (announce?.credentials ?? []).entries()) {
    files.push({ path: ['announce', 'credentials', index, 'file'], file, kind: 'file', what: 'credential file' });
  }
  for (const [name, { credential, certificates, cwd }] of services) {
    const path = ['services', name];
    if (typeof credential === 'string')
      files.push({ path: [...path, 'credential'], file: credential, kind: 'file', what: 'credential file' });
    for (const key of ['cert', 'key', 'ca'] as const) {
      const file = certificates?.[key];
      if (file !== undefined)
        files.push({ path: [...path, 'certificates', key], file, kind: 'file', what: 'PEM file' });
    }
    if (cwd !== undefined) files.push({ path: [...path, 'cwd'], file: cwd, kind: 'folder', what: 'folder' });
  }
  return files;
}

async function checkFiles(files: readonly NamedFile[], folder: string): Promise<readonly Finding[]> {
  const checked = files.map(async ({ path, file, kind, what }): Promise<readonly Finding[]> => {
    const found = await stat(resolve(folder, file)).catch(() => undefined);
    const isIt = { file: found?.isFile(), folder: found?.isDirectory(), 'file or folder': found !== undefined };
    if (isIt[kind]) return [];
    return [{ path, part: 'value', message: `${dotted(path)}: there is no ${what} ${resolve(folder, file)}` }];
  });
  return (await Promise.all(checked)).flat();
}

function entries(data: unknown): readonly [string, unknown][] {
  return typeof data === 'object' && data !== null ? Object.entries(data) : [];
}
