import {
  type Answer,
  type CallId,
  GatewayError,
  type Hop,
  type JsonText,
  type Permit,
  type Principal,
  type Registration,
  type Registry,
  spendPermit,
} from '@sallyport/core';
import type { JsonObject, JsonValue, ServiceManifest, TraceContext } from '@sallyport/protocol';

/** What a handler knows of the call it serves. */
export interface HandlerContext {
  readonly principal: Principal;
  readonly callId: CallId;
  readonly trace: TraceContext;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly onProgress?: NonNullable<Hop['onProgress']>;
}

/** An MCP `CallToolResult` that a handler made itself. */
export interface CallToolResult {
  readonly content: readonly JsonObject[];
  readonly structuredContent?: JsonValue;
  readonly isError?: boolean;
  readonly _meta?: JsonObject;
}

/**
 * Serves one tool in this process. Returns the output, or a whole `CallToolResult` where the output is not enough (a tool
 * error, say). May throw a `GatewayError`; anything else thrown is `upstream_failed`.
 */
export type Handler = (
  args: JsonObject,
  context: HandlerContext,
) => JsonValue | CallToolResult | Promise<JsonValue | CallToolResult>;

/**
 * A service whose tools are functions of this process: for embedding, and for administration. It goes the same way as all
 * others: a call needs its permit. `handlers` is by tool name, `Handler.Method`.
 *
 * @throws Error when the manifest has a tool without a handler.
 */
export function inProcessService(manifest: ServiceManifest, handlers: Readonly<Record<string, Handler>>): Registration {
  const { service, version } = manifest;
  const byName = new Map(Object.entries(handlers));
  const orphan = manifest.tools.find((tool) => !byName.has(tool.name));
  if (orphan) throw new Error(`${service} has no handler for its tool ${orphan.name}`);
  let closed = false;

  const open = async (permit: Permit, hop: Hop): Promise<Answer> => {
    if (hop.signal.aborted) throw new GatewayError('cancelled');
    const handler = byName.get(permit.target.remoteName);
    const isOurs = permit.target.service === service && permit.target.version === version;
    if (closed || !isOurs || handler === undefined) throw new GatewayError('upstream_unavailable');
    spendPermit(permit);
    hop.sent();
    const output = await serve(handler, permit, hop);
    const result = isToolResult(output) ? output : toToolResult(output);
    return { text: JSON.stringify(result) as JsonText, isError: result.isError === true, instance: 'in-process' };
  };

  return {
    manifest,
    instances: 1,
    state: 'ready',
    upstream: {
      describe: () => ({ service, kind: 'in-process' }),
      open,
      async close() {
        closed = true;
      },
    },
  };
}

/** A registry of services that are there from the start and never change. */
export function fixedRegistry(registrations: readonly Registration[]): Registry {
  return {
    registrations: () => registrations,
    onChange: () => () => undefined,
    settling: false,
    async close() {
      await Promise.all(registrations.map(({ upstream }) => upstream.close()));
    },
  };
}

/** Runs a handler until it answers, the time is over or the caller goes away, whichever is first. */
function serve(handler: Handler, permit: Permit, hop: Hop): Promise<JsonValue | CallToolResult> {
  const { principal, callId, argumentsText } = permit;
  const ended = new AbortController();
  return new Promise((resolve, reject) => {
    const giveUp = (reason: 'cancelled' | 'upstream_timeout'): void => {
      ended.abort(new GatewayError(reason));
      reject(new GatewayError(reason));
    };
    const onAbort = (): void => giveUp('cancelled');
    const clock = setTimeout(() => giveUp('upstream_timeout'), hop.timeoutMs);
    hop.signal.addEventListener('abort', onAbort, { once: true });
    const context: HandlerContext = {
      principal,
      callId,
      trace: hop.trace,
      signal: ended.signal,
      ...(hop.onProgress && { onProgress: hop.onProgress }),
    };
    const run = async (): Promise<JsonValue | CallToolResult> => handler(JSON.parse(argumentsText), context);
    run()
      .then(resolve, (thrown: unknown) => reject(toGatewayError(thrown)))
      .finally(() => {
        clearTimeout(clock);
        hop.signal.removeEventListener('abort', onAbort);
      });
  });
}

function toGatewayError(thrown: unknown): GatewayError {
  return thrown instanceof GatewayError ? thrown : new GatewayError('upstream_failed', {}, { cause: thrown });
}

function toToolResult(output: JsonValue): CallToolResult {
  return {
    content: [{ type: 'text', text: JSON.stringify(output ?? null) }],
    ...(typeof output === 'object' && output !== null && !Array.isArray(output) && { structuredContent: output }),
  };
}

function isToolResult(output: JsonValue | CallToolResult): output is CallToolResult {
  return typeof output === 'object' && output !== null && 'content' in output && Array.isArray(output.content);
}
