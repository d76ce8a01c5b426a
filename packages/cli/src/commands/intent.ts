import { hash } from 'node:crypto';
import { type AdminOptions, administer } from '../client/admin-client.ts';
import { gatewayTarget, type Target } from '../client/gateway-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { durationText, parseDuration } from '../duration.ts';
import { CliError } from '../exit.ts';
import { table } from '../terminal/table.ts';
import { intentIdIn } from './trace.ts';

/** Options of `intent create`. */
export interface CreateIntentOptions {
  readonly url?: string;
  readonly message: string;
  readonly keepMessage?: boolean;
  readonly purpose?: string;
  readonly tool: readonly string[];
  readonly bound?: readonly string[];
  readonly calls?: number;
  readonly expires?: string;
  readonly scope?: readonly string[];
  readonly json?: boolean;
}

interface Granted {
  readonly access_token: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly authorization_details: readonly [{ readonly identifier: string; readonly calls: number }];
}

const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

/** `intent create` */
export async function createIntent(options: CreateIntentOptions, context: Context): Promise<void> {
  const target = gatewayTarget(context, options.url);
  const message = options.message === '-' ? await context.readStdin() : options.message;
  const granted = await ask(target, formOf(options, message, context));
  if (options.json) return printJson(context, granted);
  const [{ identifier, calls }] = granted.authorization_details;
  // The token alone on stdout, so that it can be captured.
  print(context, granted.access_token);
  const { dim } = context.errorStyle;
  const times = calls === 1 ? 'one call' : `${calls} calls`;
  say(context, dim(`intent ${identifier} · ${times} · expires in ${durationText(granted.expires_in * 1000)}`));
  say(context, dim(`sallyport trace ${identifier}`));
}

function formOf(options: CreateIntentOptions, message: string, context: Context): URLSearchParams {
  const { tool, bound = [], calls, expires, scope, keepMessage, purpose } = options;
  const actor = context.env.SALLYPORT_ACTOR_TOKEN;
  const details = {
    type: 'intent',
    ...(keepMessage ? { message, seal_message: true } : { message_digest: hash('sha256', message, 'base64url') }),
    ...(purpose !== undefined && { purpose: purposeIn(purpose) }),
    tools: tool,
    ...(bound.length > 0 && { bounds: bound.map(boundOf) }),
    ...(calls !== undefined && { calls }),
    ...(expires !== undefined && { expires_in: Math.floor(parseDuration(expires) / 1000) }),
  };
  return new URLSearchParams({
    grant_type: exchange,
    subject_token: context.env.SALLYPORT_TOKEN ?? '',
    subject_token_type: accessToken,
    ...(actor && { actor_token: actor, actor_token_type: accessToken }),
    ...(scope && { scope: scope.flatMap((each) => each.split(',')).join(' ') }),
    authorization_details: JSON.stringify([details]),
  });
}

function purposeIn(text: string): string {
  if (/^[a-z][a-z0-9-]{0,62}$/.test(text)) return text;
  throw new CliError('usage', `"${text}" is not a purpose.`, { hint: 'One word of a-z, 0-9 and -, such as refund.' });
}

/** `/amount<=500`, `/amount>=1` or `/id=p-1`; what follows is JSON, or text that is none. */
function boundOf(text: string): Readonly<Record<string, unknown>> {
  const [, pointer, sign, wanted = ''] = /^((?:\/[^=<>]*)+?)(<=|>=|=)(.*)$/s.exec(text) ?? [];
  if (pointer === undefined) {
    throw new CliError('usage', `"${text}" is not a bound.`, { hint: "Such as '/id=p-1', '/amount<=500'." });
  }
  const value = jsonOr(wanted);
  if (sign === '=') return { pointer, const: value };
  return sign === '<=' ? { pointer, maximum: value } : { pointer, minimum: value };
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function ask({ base }: Target, form: URLSearchParams): Promise<Granted> {
  const url = `${base.href.replace(/\/$/, '')}/oauth/token`;
  const response = await fetch(url, { method: 'POST', body: form, redirect: 'error' }).catch((cause: unknown) => {
    throw new CliError('unavailable', `No gateway answers at ${url}.`, { cause });
  });
  const answer = (await response.json().catch(() => ({}))) as Readonly<Record<string, unknown>>;
  if (response.ok) return answer as unknown as Granted;
  const { error, error_description: why } = answer;
  throw new CliError(
    response.status >= 500 ? 'unavailable' : 'refused',
    `The gateway gives no such token: ${String(error)}.`,
    {
      ...(typeof why === 'string' && { hint: why }),
      facts: { error, traceId: response.headers.get('mcp-trace-id') ?? undefined },
    },
  );
}

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly subject: string;
  readonly actor?: string;
  readonly tools: readonly string[];
  readonly calls: { readonly granted: number; readonly left: number };
  readonly createdAt: string;
}

/** `intent list` */
export async function listIntents(options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'intents.list');
  if (options.json) return printJson(context, answer);
  const { intents } = answer as unknown as { readonly intents: readonly Listed[] };
  if (intents.length === 0) return say(context, 'There are no intents.');
  const rows = intents.map(({ id, state, subject, actor, tools, calls, createdAt }) => [
    id,
    state,
    actor === undefined ? subject : `${subject} via ${actor}`,
    `${calls.left} of ${calls.granted}`,
    createdAt,
    tools.join(' '),
  ]);
  print(context, table(['id', 'state', 'for', 'calls left', 'made', 'tools'], rows, context.style.dim));
}

/** `intent revoke` */
export async function revokeIntent(id: string, options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'intents.revoke', { id: intentIdIn(id) });
  if (options.json) return printJson(context, answer);
  const isNew = answer.changed === true;
  print(
    context,
    isNew ? `Intent ${id} is revoked: the next call under it is refused.` : `Intent ${id} was revoked already.`,
  );
}
