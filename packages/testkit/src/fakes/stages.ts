import {
  type AccessRequest,
  type Answer,
  type AuditRecord,
  type Call,
  type CallId,
  type Catalog,
  type Decision,
  everything,
  GatewayError,
  type Input,
  type InvokeRequest,
  type JsonText,
  noHold,
  type Permit,
  type Principal,
  type Stages,
  spendPermit,
  type Tool,
  toolCall,
} from '@sallyport/core';

/** A principal with every field that is not asked for filled in harmlessly. */
export function fakePrincipal(overrides: Partial<Principal> = {}): Principal {
  return {
    subject: 'alice',
    client: 'test',
    kind: 'agent',
    scopes: [],
    attributes: {},
    method: 'fake',
    credentialId: 'fake-1',
    ...overrides,
  };
}

/** A tool that takes any object; named `tasks.TaskService.Create` unless told otherwise. */
export function fakeTool(overrides: Partial<Tool> = {}): Tool {
  const name = overrides.name ?? 'tasks.TaskService.Create';
  return {
    capability: 'tool',
    name,
    alias: name.replaceAll('.', '_'),
    service: name.split('.')[0] ?? name,
    version: '1.0.0',
    position: 0,
    remoteName: name.split('.').slice(1).join('.'),
    description: 'A tool of the tests.',
    inputSchema: { type: 'object' },
    examples: [],
    scopes: [],
    sideEffect: 'read',
    expensive: false,
    internal: false,
    idempotent: true,
    classification: 'internal',
    risk: 'low',
    owner: 'tests',
    stability: 'stable',
    auditRequired: false,
    timeoutMs: 1_000,
    definitionHash: '0'.repeat(64),
    ...overrides,
  };
}

/** A catalog of these tools. */
export function fakeCatalog(tools: readonly Tool[]): Catalog {
  const sorted = [...tools].sort((a, b) => (a.name < b.name ? -1 : 1));
  const byName = new Map(sorted.flatMap((tool) => [tool.name, tool.alias].map((name) => [name, tool] as const)));
  return {
    revision: sorted.map((tool) => tool.name).join(),
    parts: new Map(),
    tools: sorted,
    ...{ prompts: [], resources: [], templates: [], methods: [] },
    byName,
    promptsByAlias: new Map(),
    resourceAt: () => undefined,
    services: servicesOf(sorted),
    stale: false,
    absent: [],
  };
}

function servicesOf(tools: readonly Tool[]): Catalog['services'] {
  return [...new Set(tools.map(({ service }) => service))].map((name) => ({
    ...{ name, version: '1.0.0', owner: 'tests', instances: 1, keptOut: 0, state: 'ready' },
  }));
}

let calls = 0;

/** A call of a tool as it might come in over HTTP. */
export function fakeCall(
  request: Partial<InvokeRequest> = {},
  overrides: Partial<Call<InvokeRequest>> = {},
): Call<InvokeRequest> {
  return {
    id: `call-${++calls}` as CallId,
    request: {
      ...toolCall('tasks.TaskService.Create', '{}' as JsonText),
      ...request,
    },
    presented: { kind: 'bearer', token: 'good' },
    endpoint: everything,
    origin: { transport: 'http', peer: '127.0.0.1', era: 'modern' },
    trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), sampled: true },
    receivedAtMs: 1_000,
    signal: new AbortController().signal,
    receivedBytes: 100,
    ...overrides,
  };
}

/** Stages that let everything through, with what they saw. Replace single ones to see what the pipeline makes of it. */
export interface FakeStages {
  readonly stages: Stages;
  readonly records: AuditRecord[];
  readonly dispatched: Permit[];
}

/** Makes fake stages round a catalog of one tool, or the given ones. */
export function fakeStages(overrides: Partial<Stages> = {}, tools: readonly Tool[] = [fakeTool()]): FakeStages {
  const records: AuditRecord[] = [];
  const dispatched: Permit[] = [];
  const catalog = fakeCatalog(tools);
  const stages: Stages = {
    admit: () => undefined,
    authenticate: ({ presented }) => {
      if (presented.kind !== 'bearer' || presented.token !== 'good') throw new GatewayError('credential_invalid');
      return fakePrincipal();
    },
    view: () => ({ catalog, has: () => true, admits: () => false }),
    toolOfTask: () => undefined,
    entitle: () => undefined,
    rate: () => undefined,
    rateDenied: (_principal, refusal) => refusal,
    validate: (call): Input => ({ text: call.request.argumentsText, value: JSON.parse(call.request.argumentsText) }),
    authorize: (_request: AccessRequest): Decision => ({ effect: 'permit', policies: [], revision: 'r1' }),
    approve: () => noHold,
    budget: () => noHold,
    credential: () => ({ kind: 'none' }),
    dispatch: async (permit, hop): Promise<Answer> => {
      spendPermit(permit);
      hop.sent();
      dispatched.push(permit);
      return { text: '{"content":[]}' as JsonText, isError: false, instance: 'fake' };
    },
    filter: (_permit, answer) => answer,
    record: async (record) => void records.push(record),
    onCatalogChange: () => () => undefined,
    watch: () => () => undefined,
    nowMs: () => 1_005,
    ...overrides,
  };
  return { stages, records, dispatched };
}
