import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuditRecord, CallId } from '@sallyport/core';
import { describe, expect, test } from 'vitest';
import { createCallMetrics } from './call-metrics.ts';
import { createMeters } from './meters.ts';
import { exportMetrics } from './open-telemetry.ts';
import { addProcessMetrics } from './process-metrics.ts';

const record: AuditRecord = {
  schema: 1,
  kind: 'outcome',
  callId: '1' as CallId,
  traceId: 't',
  spanId: 's',
  timeMs: 0,
  durationMs: 7,
  verb: 'invoke',
  origin: { transport: 'http', peer: '192.0.2.1', era: 'modern' },
  subject: 'ada',
  tool: 'posts.PostService.Create',
  service: 'posts',
  outcome: 'answered',
  toolError: false,
  inputBytes: 1,
  outputBytes: 1,
};

function counted(...changes: readonly Partial<AuditRecord>[]) {
  const meters = createMeters(0);
  const count = createCallMetrics(meters);
  for (const change of changes) count({ ...record, ...change });
  return exportMetrics(meters, { version: '1.2.3', env: {} }).prometheus();
}

describe('metrics of calls', () => {
  test('count by method, service, tool, outcome and error, in the format of Prometheus', async () => {
    const text = await counted(
      {},
      {},
      { durationMs: 300, toolError: true },
      { outcome: 'refused', reason: 'rate_limited', stage: 'rate' },
    );
    expect(text).toContain('# TYPE mcp_server_operation_duration_seconds histogram');
    const labels = (error: string, outcome = 'answered') =>
      `mcp_method_name="tools/call",sallyport_service="posts",gen_ai_tool_name="posts.PostService.Create",sallyport_outcome="${outcome}",error_type="${error}",network_transport="http"`;
    expect(text).toContain(`mcp_server_operation_duration_seconds_count{${labels('')}} 2`);
    expect(text).toContain(`mcp_server_operation_duration_seconds_bucket{${labels('')},le="0.005"} 0`);
    expect(text).toContain(`mcp_server_operation_duration_seconds_bucket{${labels('')},le="0.01"} 2`);
    expect(text).toContain(`mcp_server_operation_duration_seconds_count{${labels('tool_error')}} 1`);
    expect(text).toContain(`mcp_server_operation_duration_seconds_count{${labels('rate_limited', 'refused')}} 1`);
    expect(text).toContain('sallyport_refusals_total{reason="rate_limited",stage="rate"} 1');
    expect(text).toContain('target_info{service_version="1.2.3",service_name="sallyport"} 1');
  });

  test('have no label that a stranger could write', async () => {
    const text = await counted(
      {
        service: undefined as never,
        tool: 'made"up\n{name}',
        outcome: 'refused',
        reason: 'unknown_tool',
        stage: 'resolve',
      },
      { verb: 'unreadable', service: undefined as never, tool: undefined as never },
      { operation: 'resources/read', tool: 'docs.resources/file:///anything' },
    );
    expect(text).not.toContain('made');
    expect(text).not.toContain('anything');
    expect(text).toContain('mcp_method_name="resources/read",sallyport_service="docs",'.replace('docs', 'posts'));
  });

  test('say what was taken out of answers', async () => {
    expect(await counted({ redacted: { jwt: 2 } }, { redacted: { jwt: 1 } })).toContain(
      'sallyport_redactions_total{rule="jwt"} 3',
    );
  });
});

describe('a set of metrics', () => {
  test('stays bounded: values with too many different labels share one series', () => {
    const meters = createMeters(0, 3);
    const counter = meters.counter({ name: 'n', description: '', unit: '1' });
    for (let at = 0; at < 10; at++) counter.add({ at: String(at) });
    const [metric] = meters.collect();
    expect(metric?.points).toHaveLength(4);
    expect(metric?.points.at(-1)).toEqual({ labels: { 'otel.metric.overflow': 'true' }, value: 7 });
  });

  test('has one metric of a name', () => {
    const meters = createMeters(0);
    meters.observe({ name: 'n', description: '', unit: '1' }, () => 1);
    expect(() => meters.counter({ name: 'n', description: '', unit: '1' })).toThrow('two metrics named n');
  });

  test('tells how the process is', async () => {
    const meters = createMeters(0);
    const stop = addProcessMetrics(meters);
    const text = await exportMetrics(meters, { version: '1', env: {} }).prometheus();
    stop();
    expect(text).toMatch(/^process_memory_usage_bytes [1-9]\d+$/m);
    expect(text).toMatch(/^nodejs_eventloop_delay_p99_seconds [\d.e-]+$/m);
  });

  test('is sent by OTLP where the standard variables say so, and only there', async () => {
    const received: string[] = [];
    const collector = createServer((request: IncomingMessage, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        received.push(`${request.url} ${Buffer.concat(chunks).toString()}`);
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const meters = createMeters(0);
    createCallMetrics(meters)(record);
    await exportMetrics(meters, { version: '1', env: {} }).close();
    expect(received).toEqual([]);
    // The exporter reads the endpoint from the environment of the process.
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = endpoint;
    await exportMetrics(meters, { version: '1', env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } }).close();
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    collector.close();
    expect(received).toHaveLength(1);
    expect(received[0]).toMatch(/^\/v1\/metrics .*mcp\.server\.operation\.duration/);
  });
});
