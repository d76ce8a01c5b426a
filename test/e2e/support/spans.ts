import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Attribute = string | number | boolean | readonly string[];

/** A span as a collector gets it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** `service.name` of whoever sent it. */
  readonly sender: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, Attribute>> }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly isFailed: boolean;
}

/** A collector of OTLP over HTTP (JSON) that keeps what it is sent. */
export interface Collector {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** All that came, as it was written. */
  readonly text: () => string;
  close(): void;
}

/** Starts one on a free port. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    if (request.url === '/v1/traces') {
      bodies.push(body);
      spans.push(...readSpans(JSON.parse(body)));
    }
    response.setHeader('Content-Type', 'application/json').end('{}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    text: () => bodies.join('\n'),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** One trace as a tree, for people: sender, kind and name of each span, in the order they began. */
export function treeOf(spans: readonly ReceivedSpan[], root: string | undefined, depth = 0): string {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === root)
    .sort((a, b) => Number(a.startNs - b.startNs))
    .map(
      ({ sender, kind, name, spanId }) =>
        `${'  '.repeat(depth)}${sender} ${kind} ${name}\n${treeOf(spans, spanId, depth + 1)}`,
    )
    .join('');
}

function readSpans({ resourceSpans }: any): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) => {
    const sender = String(attributesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap((scope: any) => scope.spans.map((span: any) => readSpan(sender, span)));
  });
}

function readSpan(sender: string, span: any): ReceivedSpan {
  const { traceId, spanId, parentSpanId, name, kind, attributes, events, links, status } = span;
  return {
    ...{ traceId, spanId, parentSpanId, sender, name, links },
    kind: (['', 'internal', 'server', 'client'] as const)[kind as 1 | 2 | 3],
    attributes: attributesOf(attributes),
    events: events.map((event: any) => ({ name: event.name, attributes: attributesOf(event.attributes) })),
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    isFailed: status.code === 2,
  };
}

function attributesOf(list: any[]): Record<string, Attribute> {
  return Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]));
}

function plain({ stringValue, intValue, doubleValue, boolValue, arrayValue }: any): Attribute {
  return stringValue ?? intValue ?? doubleValue ?? boolValue ?? arrayValue.values.map(plain);
}
