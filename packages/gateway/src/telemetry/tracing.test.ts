import { type Call, createPipeline, GatewayError, type Stages } from '@sallyport/core';
import { fakeCall, fakeStages } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { samplerOf } from './sampling.ts';
import type { FinishedSpan } from './span.ts';
import { createClock, createTracing, wantsTraces } from './tracing.ts';

describe('a sampler', () => {
  const id = fc.stringMatching(/^[0-9a-f]{32}$/);

  test('of a ratio keeps that much of what begins here, the same traces whoever is asked, and fewer of a smaller one', () => {
    const of = (ratio: string) =>
      samplerOf({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: ratio });
    fc.assert(
      fc.property(
        id,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (trace, a, b) => {
          const [less, more] = [Math.min(a, b), Math.max(a, b)].map((ratio) => of(String(ratio))(trace, undefined));
          expect(!less || more).toBe(true);
          expect(of('0')(trace, undefined)).toBe(false);
          expect(of('1')(trace, undefined)).toBe(true);
        },
      ),
    );
    const kept = Array.from({ length: 4_000 }, () => crypto.randomUUID().replaceAll('-', '')).filter((trace) =>
      of('0.25')(trace, undefined),
    );
    expect(kept.length).toBeGreaterThan(800);
    expect(kept.length).toBeLessThan(1_200);
  });

  test.each([
    [undefined, true, true, false],
    ['parentbased_always_on', true, true, false],
    ['parentbased_always_off', false, true, false],
    ['always_on', true, true, true],
    ['always_off', false, false, false],
    ['traceidratio', true, true, true],
    ['xray', true, true, false],
  ])('%s keeps what begins here: %s, what is kept by the caller: %s, what is not: %s', (name, root, kept, dropped) => {
    const keep = samplerOf(name === undefined ? {} : { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: 'many' });
    const trace = 'f'.repeat(32);
    expect([undefined, true, false].map((parent) => keep(trace, parent))).toEqual([root, kept, dropped]);
  });
});

test.each([
  [{}, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, true],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x' }, true],
  [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://x' }, false],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, true],
  [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, false],
  [{ OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' }, false],
])('of the environment %j, traces are asked for: %s', (env, wanted) => {
  expect(wantsTraces(env)).toBe(wanted);
});

test('the clock counts on from the time of the machine', () => {
  const now = createClock();
  const before = Date.now();
  const counted = now();
  expect(Math.abs(counted - before)).toBeLessThan(1_000);
  expect(now()).toBeGreaterThanOrEqual(counted);
});

/** Runs a call over stages that are traced. */
async function traced(env: Record<string, string>, stages: Partial<Stages> = {}, traceparent?: string) {
  const spans: FinishedSpan[] = [];
  let at = 1_000;
  const tracing = createTracing({ env, sink: { add: (span) => spans.push(span) }, nowMs: () => at++ });
  const { stages: made } = fakeStages(stages);
  const parents: string[] = [];
  const pipeline = createPipeline({
    ...made,
    observe: tracing.observe,
    dispatch: tracing.dispatching((permit, hop) => {
      parents.push(hop.trace.spanId);
      return made.dispatch(permit, hop);
    }),
  });
  const call = { ...fakeCall(), trace: tracing.newTrace(traceparent) } as Call;
  const outcome = await pipeline.invoke(call as Parameters<typeof pipeline.invoke>[0]);
  return { spans, parents, call, outcome };
}

describe('the spans of a call', () => {
  test('are SERVER, the one of go-micro, and CLIENT, which the service has for a parent', async () => {
    const { spans, parents, call } = await traced({});
    const [client, server, tool] = spans as [FinishedSpan, FinishedSpan, FinishedSpan];
    expect(spans.map(({ kind }) => kind)).toEqual(['client', 'server', 'internal']);
    expect(server.trace.spanId).toBe(call.trace.spanId);
    expect(tool.trace.parentSpanId).toBe(server.trace.spanId);
    expect(client.trace.parentSpanId).toBe(tool.trace.spanId);
    expect(parents).toEqual([client.trace.spanId]);
    const times = server.events.map(({ timeMs }) => timeMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(server.startMs).toBeLessThan(times[0] ?? 0);
    expect(server.endMs).toBeGreaterThan(times.at(-1) ?? Number.POSITIVE_INFINITY);
  });

  test('are without the one of go-micro where that is switched off', async () => {
    const { spans, call } = await traced({ SALLYPORT_TRACE_TOOL_CALL: 'off' });
    expect(spans.map(({ kind }) => kind)).toEqual(['client', 'server']);
    expect(spans[0]?.trace.parentSpanId).toBe(call.trace.spanId);
  });

  test('are none where the trace is not kept, and the service hears of that', async () => {
    const { spans, parents, call } = await traced({}, {}, `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`);
    expect(spans).toEqual([]);
    expect(parents).toEqual([call.trace.spanId]);
    expect(call.trace.sampled).toBe(false);
  });

  test('say why a call was refused, with the word that its caller and the audit have', async () => {
    const { spans } = await traced({}, { rate: () => Promise.reject(new GatewayError('rate_limited')) });
    const [server, tool] = spans;
    expect(server).toMatchObject({
      isFailed: true,
      attributes: { 'error.type': 'rate_limited', 'sallyport.stage': 'rate', 'sallyport.outcome': 'refused' },
    });
    expect(tool?.attributes).toMatchObject({ 'mcp.rate_limited': true, 'mcp.auth.allowed': true });
  });

  test('say so where the record could not be written', async () => {
    const { spans, outcome } = await traced({}, { record: () => Promise.reject(new Error('full')) });
    expect(outcome.kind).toBe('refused');
    expect(spans.find(({ kind }) => kind === 'server')?.attributes['error.type']).toBe('audit_unavailable');
  });

  test('say that a service failed', async () => {
    const { spans } = await traced({}, { dispatch: () => Promise.reject(new GatewayError('upstream_failed')) });
    expect(spans[0]).toMatchObject({ kind: 'client', isFailed: true, attributes: { 'error.type': 'upstream_failed' } });
  });
});
