import type { AuditRecord, Call, StageName, WireFacts } from '@sallyport/core';
import { parseTraceparent } from '@sallyport/protocol';
import type { Attributes, FinishedSpan, SpanEvent } from './span.ts';

/** When a stage began, and which. */
export type StageStart = readonly [name: StageName, atMs: number];

/** A call that has ended, for its spans. */
export interface EndedCall {
  readonly call: Call;
  readonly record: AuditRecord;
  readonly startMs: number;
  readonly endMs: number;
  readonly stages: readonly StageStart[];
  /** Of go-micro's span; absent where it is switched off. */
  readonly toolSpanId?: string;
}

/** The SERVER span of a call, by the semantic conventions of MCP; its events are the stages, with the time spent in each. */
export function serverSpan({ call, record, startMs, endMs, stages }: EndedCall): FinishedSpan {
  const { wire = {} } = call;
  const error = errorOf(record);
  const linked = wire.httpTraceparent === undefined ? undefined : parseTraceparent(wire.httpTraceparent);
  const method = methodOf(call, record);
  const what = promptOrTool(record);
  return {
    name: what === undefined ? method : `${method} ${what}`,
    ...{ kind: 'server', trace: call.trace, isParentRemote: true, startMs, endMs },
    attributes: {
      'mcp.method.name': method,
      ...(what !== undefined && { [method === 'prompts/get' ? 'gen_ai.prompt.name' : 'gen_ai.tool.name']: what }),
      ...(method === 'tools/call' && { 'gen_ai.operation.name': 'execute_tool' }),
      ...wireAttributes(wire),
      ...originAttributes(record.origin),
      'sallyport.call.id': record.callId,
      'sallyport.outcome': record.outcome,
      ...(record.service !== undefined && { 'sallyport.service': record.service }),
      ...(record.stage !== undefined && { 'sallyport.stage': record.stage }),
      ...(error !== undefined && { 'error.type': error }),
    },
    events: stageEvents(stages, endMs),
    ...(linked && { link: linked }),
    isFailed: error !== undefined,
  };
}

/** Stages that say whether somebody may: what they refuse was not allowed. */
const deciding: ReadonlySet<string> = new Set<StageName>([
  ...(['admit', 'authenticate', 'resolve', 'entitle', 'authorize', 'approve', 'read'] as const),
]);

/** The span that go-micro's gateway makes of a call of a tool, under the names it has there. */
export function toolSpan({ call, record, startMs, endMs, toolSpanId }: EndedCall): FinishedSpan | undefined {
  const { request, trace } = call;
  if (toolSpanId === undefined || request.verb !== 'invoke' || request.method !== 'tools/call') return undefined;
  const { reason, stage = '', subject, service, scopesRequired = [], tool } = record;
  const isAllowed = reason === undefined || !deciding.has(stage);
  return {
    ...{ name: 'mcp.tool.call', kind: 'internal', isParentRemote: false, startMs, endMs },
    trace: { traceId: trace.traceId, spanId: toolSpanId, parentSpanId: trace.spanId },
    attributes: {
      ...(service !== undefined && tool !== undefined && { 'mcp.tool.name': tool }),
      'mcp.transport': record.origin.transport,
      ...(subject !== undefined && { 'mcp.account.id': subject }),
      'mcp.trace.id': record.callId,
      'mcp.auth.allowed': isAllowed,
      ...(!isAllowed && { 'mcp.auth.denied_reason': reason }),
      ...(scopesRequired.length > 0 && { 'mcp.scopes.required': scopesRequired }),
      'mcp.rate_limited': reason === 'rate_limited' || reason === 'peer_limited',
    },
    events: [],
    isFailed: errorOf(record) !== undefined,
  };
}

function errorOf({ reason, toolError }: AuditRecord): string | undefined {
  return reason ?? (toolError === true ? 'tool_error' : undefined);
}

const verbNames = { list: 'list', listen: 'subscriptions/listen', reply: 'reply', unreadable: 'unreadable' } as const;

function methodOf({ wire, request }: Call, { verb }: AuditRecord): string {
  if (wire?.method !== undefined) return wire.method;
  return request.verb === 'invoke' ? request.method : verbNames[verb === 'invoke' ? 'unreadable' : verb];
}

/** Only what was found in the catalog: what a caller wrote is nobody's name. Resources are as many as their servers like. */
function promptOrTool({ service, tool, operation }: AuditRecord): string | undefined {
  return service !== undefined && (operation === undefined || operation === 'prompts/get') ? tool : undefined;
}

function wireAttributes({ requestId, sessionId, protocolVersion }: WireFacts): Attributes {
  return {
    ...(requestId !== undefined && { 'jsonrpc.request.id': requestId }),
    ...(sessionId !== undefined && { 'mcp.session.id': sessionId }),
    ...(protocolVersion !== undefined && { 'mcp.protocol.version': protocolVersion }),
  };
}

const networks: Readonly<Record<AuditRecord['origin']['transport'], Attributes>> = {
  http: { 'network.transport': 'tcp', 'network.protocol.name': 'http' },
  rest: { 'network.transport': 'tcp', 'network.protocol.name': 'http' },
  ws: { 'network.transport': 'tcp', 'network.protocol.name': 'websocket' },
  stdio: { 'network.transport': 'pipe' },
  ...{ admin: {}, hop: {}, embedded: {} },
};

function originAttributes({ transport, peer }: AuditRecord['origin']): Attributes {
  const isAddress = peer !== 'local' && transport !== 'hop';
  return { ...networks[transport], 'sallyport.transport': transport, ...(isAddress && { 'client.address': peer }) };
}

/** A stage may come twice: an intent is put on record before the call leaves. */
function stageEvents(stages: readonly StageStart[], endMs: number): SpanEvent[] {
  return stages.map(([name, timeMs], at) => ({
    ...{ name, timeMs },
    attributes: { 'sallyport.stage.duration_ms': round((stages[at + 1]?.[1] ?? endMs) - timeMs) },
  }));
}

/** To microseconds. */
function round(ms: number): number {
  return Math.round(Math.max(0, ms) * 1000) / 1000;
}
