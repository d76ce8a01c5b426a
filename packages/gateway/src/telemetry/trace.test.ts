import { formatTraceparent } from '@sallyport/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newCallId, newTrace } from './trace.ts';

const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('without a parent a new trace begins', () => {
  const trace = newTrace();
  expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(trace.parentSpanId).toBeUndefined();
  expect(newTrace().traceId).not.toBe(trace.traceId);
});

test('with a parent the call is a new span of its trace', () => {
  const trace = newTrace(parent, 'vendor=x, other=1');
  expect(trace).toMatchObject({
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    parentSpanId: '00f067aa0ba902b7',
    sampled: true,
    traceState: 'vendor=x,other=1',
  });
  expect(trace.spanId).not.toBe('00f067aa0ba902b7');
  expect(formatTraceparent(trace)).toBe(`00-${trace.traceId}-${trace.spanId}-01`);
});

test.each([
  'x',
  '',
  parent.toUpperCase(),
  `${parent}-x`,
  parent.replace('00-', 'ff-'),
  parent.replace(/4bf9\w+/, '0'.repeat(32)),
])('a broken parent %s begins a new trace and its state is dropped', (broken) => {
  const trace = newTrace(broken, 'a=1');
  expect(trace.traceId).not.toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(trace).not.toHaveProperty('traceState');
});

test.each([
  '',
  ',',
  'a',
  'A=1',
  'a=1,a=2',
  'a=\n',
  'a=b=c',
  'a=é',
  'x='.padEnd(600, 'y'),
  Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(','),
])('a broken state is dropped and the trace kept', (state) => {
  const trace = newTrace(parent, state);
  expect(trace.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(trace).not.toHaveProperty('traceState');
});

test('whatever comes in, what goes out is valid and bounded', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.constant(parent)),
      fc.string({ unit: 'binary', maxLength: 2000 }),
      (traceparent, tracestate) => {
        const trace = newTrace(traceparent, tracestate);
        expect(formatTraceparent(trace)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
        expect(trace.traceState ?? '').toMatch(/^[\x20-\x7e]{0,512}$/);
      },
    ),
  );
});

test('a call id is a random UUID', () => {
  expect(newCallId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(Array.from({ length: 1000 }, newCallId)).size).toBe(1000);
});
