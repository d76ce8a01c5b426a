import type { Context } from '../context.ts';
import { CliError, type ExitKind } from '../exit.ts';

/** A tool as `GET /mcp/tools` lists it. */
export interface ListedTool {
  readonly name: string;
  readonly alias?: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly examples?: readonly unknown[];
  readonly scopes: readonly string[];
  readonly sideEffect?: string;
  readonly classification?: string;
  readonly owner?: string;
  readonly stability?: string;
  readonly risk?: string;
}

/** What a call came to. */
export interface CallAnswer {
  readonly result: unknown;
  readonly traceId: string | undefined;
}

/** A running gateway, by REST. Refusals are thrown as `CliError` with the gateway's own words. */
export interface GatewayClient {
  list(): Promise<readonly ListedTool[]>;
  /** @param waitSeconds how long to wait where people have to approve the call. Default: not at all. */
  call(tool: string, input: unknown, waitSeconds?: number): Promise<CallAnswer>;
}

/** Where the gateway is, and who asks. */
export interface Target {
  /** Without `/mcp`. */
  readonly base: URL;
  readonly token: string;
}

/**
 * Finds out which gateway is meant: `--url`, else `SALLYPORT_URL`; and the token in `SALLYPORT_TOKEN`.
 *
 * @throws CliError `usage` naming the variable that is missing, or when the token would travel in the clear.
 */
export function gatewayTarget(context: Context, url: string | undefined): Target {
  const text = url ?? context.env.SALLYPORT_URL;
  if (text === undefined || text === '') {
    throw new CliError('usage', 'SALLYPORT_URL is not set, so the gateway is not known.', {
      hint: 'export SALLYPORT_URL=http://127.0.0.1:3000/mcp — `sallyport run` prints the right one. Or use --url.',
    });
  }
  const base = URL.parse(text);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new CliError('usage', `"${text}" is not the URL of a gateway.`, {
      hint: 'Such as http://127.0.0.1:3000/mcp.',
    });
  }
  const token = context.env.SALLYPORT_TOKEN;
  if (token === undefined || token === '') {
    throw new CliError('usage', 'SALLYPORT_TOKEN is not set, so the gateway would not know who asks.', {
      hint: '`sallyport run` prints one; `sallyport token create` makes one. Tokens are never given on the command line.',
    });
  }
  if (base.protocol === 'http:' && !isLoopback(base.hostname)) {
    throw new CliError('usage', `The token would travel unencrypted to ${base.host}.`, { hint: 'Use https://.' });
  }
  return { base: gatewayBase(base.href), token };
}

/** The URL of a gateway without the `/mcp` of its endpoint. */
export function gatewayBase(url: string): URL {
  const base = new URL(url);
  base.pathname = base.pathname.replace(/\/mcp\/?$/, '');
  base.search = '';
  return base;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** A client for one gateway. */
export function createGatewayClient({ base, token }: Target): GatewayClient {
  const ask = async (path: string, body?: unknown, more: Headers = {}): Promise<Answer> => {
    const url = `${base.href.replace(/\/$/, '')}${path}`;
    const response = await send(url, { token, body, more });
    const text = await response.text();
    const value = readJson(text);
    if (!response.ok) throw refusal(response, value);
    if (value === undefined) throw new CliError('unavailable', `${url} does not answer like a Sallyport gateway.`);
    return { value, traceId: response.headers.get('mcp-trace-id') ?? undefined };
  };
  return {
    list: async () => {
      const tools: ListedTool[] = [];
      let cursor = '';
      do {
        const { value } = await ask(`/mcp/tools${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
        tools.push(...((value.tools ?? []) as readonly ListedTool[]));
        cursor = typeof value.nextCursor === 'string' ? value.nextCursor : '';
      } while (cursor !== '');
      return tools;
    },
    call: async (tool, input, waitSeconds) => {
      const more: Headers = waitSeconds === undefined ? {} : { prefer: `wait=${waitSeconds}` };
      const { value, traceId } = await ask('/mcp/call', { tool, input }, more);
      return { result: value.result, traceId: traceId ?? (value.trace_id as string | undefined) };
    },
  };
}

interface Answer {
  readonly value: Readonly<Record<string, unknown>>;
  readonly traceId: string | undefined;
}

type Headers = Readonly<Record<string, string>>;

interface Sent {
  readonly token: string;
  readonly body: unknown;
  readonly more: Headers;
}

async function send(url: string, { token, body, more }: Sent): Promise<Response> {
  const headers = { ...more, authorization: `Bearer ${token}`, accept: 'application/json' };
  try {
    // A redirect could lead the token elsewhere.
    if (body === undefined) return await fetch(url, { headers, redirect: 'error' });
    const withBody = { ...headers, 'content-type': 'application/json' };
    return await fetch(url, { method: 'POST', headers: withBody, body: JSON.stringify(body), redirect: 'error' });
  } catch (error) {
    throw new CliError('unavailable', `No gateway answers at ${url}.`, {
      hint: 'Is it running? `sallyport run` starts one.',
      cause: error,
    });
  }
}

function readJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

interface ErrorBody {
  readonly code?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly scopes?: readonly string[];
  readonly issues?: readonly string[];
  readonly retry_after_ms?: number;
  readonly trace_id?: string;
  /** What a policy, or the person who rejected the call, wants the caller to know; `message` says it, too. */
  readonly reasons?: readonly string[];
  /** The id of the approval that the call waits for, or that nothing came of. */
  readonly question?: string;
  readonly approval?: string;
}

function refusal(response: Response, value: Readonly<Record<string, unknown>> | undefined): CliError {
  const error = (typeof value?.error === 'object' && value.error !== null ? value.error : {}) as ErrorBody;
  const {
    code,
    reason,
    message = `The gateway answered with HTTP ${response.status}.`,
    scopes,
    issues,
    reasons,
    retry_after_ms: retryAfterMs,
    question,
    approval = question,
  } = error;
  const hints = [
    ...(scopes ? [`It takes one of these scopes: ${scopes.join(', ')}.`] : []),
    ...(issues ?? []),
    ...(retryAfterMs === undefined ? [] : [`Try again in ${Math.ceil(retryAfterMs / 1000)} s.`]),
    ...(response.status === 404 && reason === undefined
      ? ['SALLYPORT_URL is the address of everything (…/mcp), not of one service or view: those speak MCP only.']
      : []),
    ...onRecord(error),
  ];
  return new CliError(exitKind(response.status), message, {
    ...(hints.length > 0 && { hint: hints.join('\n') }),
    facts: {
      code,
      reason,
      ...(scopes && { scopes }),
      ...(approval !== undefined && { approval }),
      ...(issues && { issues }),
      ...(reasons && { reasons }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      traceId: error.trace_id,
    },
  });
}

/** How to find out more: what refused callers are not told is on record for those who run the gateway. */
function onRecord({ reason, trace_id: call }: ErrorBody): readonly string[] {
  if (call === undefined) return [];
  return [
    reason === 'policy_denied' ? `Who runs the gateway sees why: sallyport policy explain ${call}` : `trace ${call}`,
  ];
}

/** Refused: the caller may not. Failed: the call is wrong. Unavailable: nobody could answer. */
function exitKind(status: number): Exclude<ExitKind, 'ok'> {
  if (status === 401 || status === 403 || status === 429) return 'refused';
  return status >= 502 ? 'unavailable' : 'failure';
}
