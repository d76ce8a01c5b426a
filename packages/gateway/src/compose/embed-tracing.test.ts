import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { AuditRecord, Authenticator } from '@sallyport/core';
import { fakePrincipal } from '@sallyport/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fixedRegistry, inProcessService } from '../registry/in-process.ts';
import { callbackAuditLog, createGateway, type Gateway } from './embed.ts';

const tasks = inProcessService(
  {
    service: 'tasks',
    version: '1.0.0',
    tools: [{ name: 'TaskService.Get', description: 'Get.', inputSchema: { type: 'object' }, sideEffect: 'read' }],
  },
  {
    'TaskService.Get': ({ fail }) => {
      if (fail === true) throw new Error('planted');
      return { ok: true };
    },
  },
);
const anybody: Authenticator = { authenticate: () => fakePrincipal() };

const exporter = new InMemorySpanExporter();
let gateway: Gateway;
let records: AuditRecord[];

beforeEach(() => {
  records = [];
  gateway = createGateway({
    registry: fixedRegistry([tasks]),
    authenticators: [anybody],
    audit: callbackAuditLog((record) => void (record.kind === 'outcome' && records.push(record))),
    tracerProvider: new TracerProvider({
      sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    }),
  });
});

afterEach(async () => {
  await gateway.close();
  exporter.reset();
});

const spans = (): readonly ReadableSpan[] => exporter.getFinishedSpans();
const of = (kind: SpanKind) => spans().filter((span) => span.kind === kind);
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

it('makes the spans of its calls in the tracer provider of the program, and puts their ids on record', async () => {
  await gateway.call({ token: 'x', tool: 'tasks.TaskService.Get' });
  const [server] = of(SpanKind.SERVER);
  const [inner] = of(SpanKind.INTERNAL);
  const [client] = of(SpanKind.CLIENT);
  expect(spans()).toHaveLength(3);
  expect(server).toMatchObject({
    name: 'tools/call tasks.TaskService.Get',
    attributes: { 'gen_ai.tool.name': 'tasks.TaskService.Get', 'sallyport.outcome': 'answered' },
  });
  expect(server?.events.map(({ name }) => name)).toEqual(expect.arrayContaining(['authorize', 'dispatch', 'record']));
  expect(inner).toMatchObject({ name: 'mcp.tool.call', parentSpanContext: { spanId: idOf(server) } });
  expect(client).toMatchObject({ parentSpanContext: { spanId: idOf(inner) } });
  expect(records).toMatchObject([
    { traceId: server?.spanContext().traceId, spanId: idOf(server), upstreamSpanId: idOf(client) },
  ]);
});

it('goes on with the trace of its caller, as that wants it sampled, and says what failed', async () => {
  const url = await gateway.listen({ port: 0 });
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const call = (sampled: '00' | '01', input: object) =>
    fetch(new URL('/mcp/call', url), {
      method: 'POST',
      headers: {
        Authorization: 'Bearer x',
        'Content-Type': 'application/json',
        traceparent: `00-${traceId}-00f067aa0ba902b7-${sampled}`,
      },
      body: JSON.stringify({ tool: 'tasks.TaskService.Get', input }),
    });
  await call('00', {});
  expect(spans()).toEqual([]);
  await call('01', { fail: true });
  expect(spans().every((span) => span.spanContext().traceId === traceId)).toBe(true);
  expect(of(SpanKind.SERVER)).toMatchObject([
    { parentSpanContext: { spanId: '00f067aa0ba902b7', isRemote: true }, status: { code: SpanStatusCode.ERROR } },
  ]);
  expect(of(SpanKind.CLIENT)).toMatchObject([{ status: { code: SpanStatusCode.ERROR } }]);
  expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain('planted');
});
