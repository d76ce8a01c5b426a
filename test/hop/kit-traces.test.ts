import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AlwaysOnSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { service, ToolError } from '@sallyport/kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

const exporter = new InMemorySpanExporter();
const storage = new AsyncLocalStorage<Context>();

function register(): void {
  trace.setGlobalTracerProvider(
    new TracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => storage.run(active, () => work.call(self as never, ...args)),
    bind: (_, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
}

afterEach(() => {
  exporter.reset();
  trace.disable();
  context.disable();
  propagation.disable();
});

function tasks(seen: (string | undefined)[]) {
  const made = service('tasks', { version: '1.0.0', owner: 'tests' });
  const options = { description: 'x', sideEffect: 'read', input: z.object({ fail: z.boolean().optional() }) } as const;
  made.tool('TaskService.Get', options, async ({ fail }, ctx) => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(trace.getActiveSpan()?.spanContext().spanId, ctx.trace.split('-')[2]);
    if (fail === true) throw new ToolError('not_found', 'planted');
    return { ok: true };
  });
  return made;
}

describe('in a program with an SDK of OpenTelemetry', () => {
  beforeEach(register);

  it('a handler runs inside a SERVER span of the trace of its call, and sends that on', async () => {
    const seen: (string | undefined)[] = [];
    await tasks(seen).invoke('TaskService.Get', {}, {
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    } as never);
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ name: 'tools/call TaskService.Get', kind: SpanKind.SERVER });
    expect(span?.attributes).toMatchObject({
      'gen_ai.tool.name': 'tasks.TaskService.Get',
      'sallyport.service': 'tasks',
    });
    expect(seen).toEqual([span?.spanContext().spanId, span?.spanContext().spanId]);
  });

  it('the span says that a call failed, and not in what words', async () => {
    await expect(tasks([]).invoke('TaskService.Get', { fail: true })).rejects.toThrow();
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'tool_error' } });
    expect(JSON.stringify([span?.attributes, span?.status, span?.events])).not.toContain('planted');
  });

  it('a name that does not exist is not in it', async () => {
    await expect(tasks([]).invoke('Planted.Name', {})).rejects.toThrow();
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ name: 'tools/call', attributes: { 'error.type': 'unknown_tool' } });
    expect(JSON.stringify(span?.attributes)).not.toContain('Planted');
  });
});

it('without one the trace goes on as the caller has it, and nothing is made', async () => {
  const seen: (string | undefined)[] = [];
  await tasks(seen).invoke('TaskService.Get', {});
  expect(seen[0]).toBeUndefined();
  expect(seen[1]).toMatch(/^[0-9a-f]{16}$/);
  expect(exporter.getFinishedSpans()).toEqual([]);
});
