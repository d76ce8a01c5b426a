/** One way to run the suite: which checks, over which protocol. */
export interface Mode {
  readonly name: string;
  /** Options of the suite that select the checks. */
  readonly select: readonly string[];
  /** The revision on the wire, for when scenarios are selected by name. */
  readonly revision: string;
}

/** The modes for servers: what each revision requires, and everything there is for the newest. */
export const serverModes: readonly Mode[] = [
  { name: '2025-11-25', select: ['--requirements', '2025-11-25'], revision: '2025-11-25' },
  { name: '2026-07-28', select: ['--requirements', '2026-07-28'], revision: '2026-07-28' },
  { name: 'all', select: ['--suite', 'all', '--spec-version', '2026-07-28'], revision: '2026-07-28' },
];

/** A scenario for clients, and the revision it is run at. */
export interface ClientScenario {
  readonly name: string;
  readonly revision: string;
}

/** The scenarios for clients that a gateway between client and server can be asked to pass: all but those of OAuth. */
export const clientScenarios: readonly ClientScenario[] = [
  ...[
    'initialize',
    'tools_call',
    'elicitation-sep1034-client-defaults',
    'sse-retry',
    'json-schema-2020-12-preservation',
  ].map((name) => ({ name, revision: '2025-11-25' })),
  ...[
    'tools_call',
    'request-metadata',
    'sep-2322-client-request-state',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'json-schema-ref-no-deref',
    'json-schema-2020-12-preservation',
  ].map((name) => ({ name, revision: '2026-07-28' })),
];

const discovery = ['metadata-default', 'metadata-var1', 'metadata-var2', 'metadata-var3'];
const scopes = ['from-www-authenticate', 'from-scopes-supported', 'omitted-when-undefined', 'step-up', 'retry-limit'];
const both = [
  ...[...discovery, 'basic-cimd', ...scopes.map((name) => `scope-${name}`)],
  ...['token-endpoint-auth-basic', 'token-endpoint-auth-post', 'token-endpoint-auth-none', 'pre-registration'],
];
const modern = [
  ...['resource-mismatch', 'offline-access-scope', 'offline-access-not-supported', 'authorization-server-migration'],
  ...['iss-supported', 'iss-not-advertised', 'iss-supported-missing', 'iss-wrong-issuer', 'iss-unexpected'],
  ...['iss-normalized', 'metadata-issuer-mismatch'],
];
const extensions = [
  ...['client-credentials-jwt', 'client-credentials-basic', 'enterprise-managed-authorization'],
  ...['dpop', 'dpop-nonce', 'wif-jwt-bearer'],
];

/** The scenarios about OAuth, in which the gateway itself is the client: all that there are, at each revision that has them. */
export const authScenarios: readonly ClientScenario[] = [
  ...['2025-03-26-oauth-metadata-backcompat', '2025-03-26-oauth-endpoint-fallback'].map((name) => ({
    name: `auth/${name}`,
    revision: '2025-03-26',
  })),
  ...[...both, ...extensions].map((name) => ({ name: `auth/${name}`, revision: '2025-11-25' })),
  ...[...both, ...modern, ...extensions].map((name) => ({ name: `auth/${name}`, revision: '2026-07-28' })),
];
