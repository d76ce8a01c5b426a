import { GatewayError } from '@sallyport/core';
import type { AdminTarget, GatewayConfig } from '@sallyport/gateway';
import { type Context, configPath } from '../context.ts';
import { CliError } from '../exit.ts';
import { withOverrides } from '../run/overrides.ts';

/** Options of the commands that act on the gateway of a configuration. */
export interface AdminOptions {
  readonly config?: string;
  readonly data?: string;
  readonly json?: boolean;
  /** Where administration is, for those who are not the owner; they have a token in `SALLYPORT_ADMIN_TOKEN`. */
  readonly url?: string;
}

/** A plain JSON object, as operations take and give it. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * Loads the configuration that says where a gateway's data lies. Its policies are left alone, for a mistake in them must not
 * keep anybody from administration, unless `withPolicies`.
 */
export async function configOf(
  options: AdminOptions,
  context: Context,
  { withPolicies = false }: { readonly withPolicies?: boolean } = {},
): Promise<GatewayConfig> {
  const { loadConfig } = await import('@sallyport/gateway');
  const { config } = await loadConfig(configPath(context, options.config), { withoutPolicies: !withPolicies });
  return withOverrides(config, options.data === undefined ? {} : { data: options.data }, context.cwd);
}

/**
 * Asks the running gateway to do an administrative operation, over its 0600 socket: who can open that is its owner.
 *
 * @throws CliError `unavailable` when no gateway runs here, else as the gateway refused.
 */
export async function administer(
  options: AdminOptions,
  context: Context,
  ...[operation, args = {}]: readonly [string, Facts?]
): Promise<Facts> {
  const { adminCall } = await import('@sallyport/gateway');
  const target = await targetOf(options, context);
  try {
    const answer = await adminCall(target, operation, { args: JSON.parse(JSON.stringify(args)) });
    return answer as Facts;
  } catch (error) {
    throw asCliError(error, 'url' in target ? target.url : target.socketPath);
  }
}

async function targetOf(options: AdminOptions, context: Context): Promise<AdminTarget> {
  const url = options.url;
  if (url === undefined) {
    const { dataPaths } = await import('@sallyport/gateway');
    return { socketPath: dataPaths((await configOf(options, context)).data).adminSocket };
  }
  const token = context.env.SALLYPORT_ADMIN_TOKEN;
  if (URL.canParse(url) && token) return { url, token };
  throw new CliError('usage', token ? `"${url}" is not a URL.` : 'There is no token in SALLYPORT_ADMIN_TOKEN.', {
    hint: 'Such as --url http://127.0.0.1:3001; tokens are never given on the command line.',
  });
}

/** Whoever administers called no tool: the hint below says which word of theirs it was. */
const forPeople: Readonly<Partial<Record<string, string>>> = {
  invalid_input: 'The gateway does not take this.',
  not_found: 'There is no such thing.',
  conflict: 'It is there already, or was changed in the meantime.',
};

function asCliError(error: unknown, socket: string): unknown {
  if (error instanceof GatewayError) {
    const { code, reason, details } = error;
    const kind = error.http === 401 || error.http === 403 || error.http === 429 ? 'refused' : 'failure';
    const [issue, ...issues] = details.issues ?? [];
    // One thing that is wrong is the headline, in the words of who knows.
    const said = issues.length === 0 && issue !== undefined ? sentenceOf(issue) : undefined;
    const hints = [
      ...(said === undefined ? (details.issues ?? []) : []),
      ...(details.reasons ?? []),
      ...(details.scopes ? [`It takes the scope ${details.scopes.join(' or ')}.`] : []),
    ];
    return new CliError(kind, said ?? forPeople[reason] ?? error.message, {
      ...(hints.length > 0 && { hint: hints.join('\n') }),
      facts: { code, reason },
      cause: error,
    });
  }
  return new CliError('unavailable', `No gateway answers at ${socket}.`, {
    hint: 'Start it with `sallyport run` or `sallyport serve`, or name its configuration with --config (and its --data).',
    cause: error,
  });
}

/** `/revision: there is no such revision` → `There is no such revision.` What is about a value keeps its place. */
function sentenceOf(issue: string): string | undefined {
  const [, text] = /^\/\w+: ((?:there is no|no|several)\b[^\n]*)$/.exec(issue) ?? [];
  return text === undefined ? undefined : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
