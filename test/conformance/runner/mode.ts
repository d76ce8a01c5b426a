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

/**
 * The scenarios for clients that a gateway between client and server can be asked to pass: all but those of OAuth, where
 * the gateway is the client of an authorization server.
 */
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
