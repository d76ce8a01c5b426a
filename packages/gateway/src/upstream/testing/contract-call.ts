import {
  type Answer,
  type CallId,
  type Catalog,
  createPipeline,
  everything,
  GatewayError,
  type Hop,
  type InvokeRequest,
  type JsonText,
  noHold,
  type Permit,
  type Principal,
  type Retry,
  type Stages,
  type Tool,
  toolCall,
  type Upstream,
} from '@sallyport/core';

/** A call to an upstream: what differs from the ordinary. */
export interface ContractCall {
  readonly tool: Tool;
  readonly argumentsText?: string;
  /** Default: `tools/call`. */
  readonly method?: InvokeRequest['method'];
  readonly client?: Partial<InvokeRequest['client']>;
  readonly retry?: Retry;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: NonNullable<Hop['onProgress']>;
  readonly credential?: Hop['credential'];
  /** Hears that the first byte is about to leave. */
  readonly onSent?: () => void;
  /** Gets the permit before the upstream does. */
  readonly onPermit?: (permit: Permit) => void;
  readonly callId?: string;
  /** What else differs in the request: the method, what the caller can do. */
  readonly request?: Partial<InvokeRequest>;
  /** What dispatch adds when the call goes on: the upstream's own state or task. */
  readonly hop?: Partial<Hop>;
}

const caller: Principal = {
  subject: 'alice',
  client: 'contract',
  kind: 'agent',
  scopes: ['contract:call'],
  attributes: {},
  method: 'contract',
  credentialId: 'contract-1',
};

let calls = 0;

/**
 * Sends a call to an upstream with a permit of a real pipeline; there is no other way to get one.
 *
 * @throws GatewayError when the call is refused.
 */
export async function callUpstream(upstream: Upstream, call: ContractCall): Promise<Answer> {
  const { tool, argumentsText = '{}', timeoutMs, signal, onProgress, callId = `contract-${++calls}` } = call;
  const { method = 'tools/call', client, retry } = call;
  const outcome = await createPipeline(stagesFor(upstream, call)).invoke({
    id: callId as CallId,
    request: {
      ...toolCall(tool.name, argumentsText as JsonText),
      method,
      client: { capabilitiesText: '{}' as JsonText, ...client },
      ...(retry && { retry }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(onProgress && { onProgress }),
      ...call.request,
    },
    presented: { kind: 'none' },
    endpoint: everything,
    origin: { transport: 'embedded', peer: 'local', era: 'none' },
    trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), sampled: true },
    receivedAtMs: 0,
    signal: signal ?? new AbortController().signal,
    receivedBytes: argumentsText.length,
  });
  if (outcome.kind === 'answered') return outcome.content;
  throw outcome.kind === 'refused' ? outcome.error : new Error('suspended');
}

/** The reason why a call was refused, or the text of its answer. */
export async function fateOf(answer: Promise<Answer>): Promise<string> {
  try {
    return (await answer).text;
  } catch (error) {
    return error instanceof GatewayError ? error.reason : String(error);
  }
}

/** A tool as the catalog would have it, by default without limits that a contract could notice. */
export function contractTool(service: string, remoteName: string, overrides: Partial<Tool> = {}): Tool {
  const name = `${service}.${remoteName}`;
  return {
    capability: 'tool',
    name,
    alias: name.replaceAll('.', '_'),
    service,
    version: '1.0.0',
    position: 0,
    remoteName,
    description: 'A tool of the contract.',
    inputSchema: { type: 'object' },
    examples: [],
    scopes: [],
    sideEffect: 'read',
    expensive: false,
    internal: false,
    idempotent: true,
    classification: 'internal',
    risk: 'low',
    owner: 'contract',
    stability: 'stable',
    auditRequired: false,
    timeoutMs: 15_000,
    definitionHash: '0'.repeat(64),
    ...overrides,
  };
}

function stagesFor(upstream: Upstream, { tool, onPermit, onSent, credential, hop: more }: ContractCall): Stages {
  const catalog: Catalog = {
    ...{
      revision: '',
      parts: new Map(),
      tools: [tool],
      prompts: [],
      resources: [],
      templates: [],
      methods: [],
    },
    byName: new Map([[tool.name, tool]]),
    promptsByAlias: new Map(),
    resourceAt: () => undefined,
    services: [],
    stale: false,
    absent: [],
  };
  return {
    admit: () => undefined,
    authenticate: () => caller,
    view: () => ({ catalog, has: () => true, admits: () => false }),
    toolOfTask: () => undefined,
    entitle: () => undefined,
    rate: () => undefined,
    rateDenied: (_principal, refusal) => refusal,
    validate: ({ request }) => ({ text: request.argumentsText, value: JSON.parse(request.argumentsText) }),
    authorize: () => ({ effect: 'permit', policies: [], revision: 'contract' }),
    approve: () => noHold,
    budget: () => noHold,
    credential: () => credential ?? { kind: 'none' },
    dispatch: (permit, hop) => {
      onPermit?.(permit);
      const sent = (): void => {
        hop.sent();
        onSent?.();
      };
      return upstream.open(permit, { ...hop, ...more, sent });
    },
    filter: (_permit, answer) => answer,
    record: async () => undefined,
    onCatalogChange: () => () => undefined,
    watch: () => () => undefined,
    nowMs: () => 0,
  };
}
