import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { durationText, parseDuration } from '../duration.ts';
import { CliError } from '../exit.ts';
import { table } from '../terminal/table.ts';

/** Options of `token create`. */
export interface CreateOptions extends AdminOptions {
  readonly name: string;
  readonly scope?: readonly string[];
  readonly expires: string;
  readonly kind: string;
  readonly label?: string;
}

/** A token as the admin API tells of it. */
interface Token {
  readonly token?: string;
  readonly id: string;
  readonly account: string;
  readonly kind: string;
  readonly label: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string;
  readonly state: string;
}

const adminAccount = 'owner';
const adminLifeSeconds = 12 * 3600;

/** `token`, alone or with `--admin` */
export async function tokenRoot(
  options: AdminOptions & { readonly admin?: boolean },
  context: Context,
  help: () => void,
): Promise<void> {
  if (!options.admin) return help();
  const args = {
    account: adminAccount,
    kind: 'owner',
    label: 'console',
    scopes: ['admin:*'],
    lifeSeconds: adminLifeSeconds,
  };
  showOnce((await administer(options, context, 'tokens.create', args)) as unknown as Token, options, context);
}

/** `token create` */
export async function createToken(options: CreateOptions, context: Context): Promise<void> {
  const scopes = (options.scope ?? []).flatMap((each) => each.split(',')).filter((each) => each !== '');
  refuseAdministration(options.kind, scopes);
  const args = {
    account: options.name,
    kind: options.kind,
    scopes,
    lifeSeconds: parseDuration(options.expires) / 1000,
    ...(options.label !== undefined && { label: options.label }),
  };
  showOnce((await administer(options, context, 'tokens.create', args)) as unknown as Token, options, context);
}

/** What an agent or a person may is for tools; a program that watches or administers is a service, and named as one. */
function refuseAdministration(kind: string, scopes: readonly string[]): void {
  // To decide on what agents want to do is for people.
  const isWrong = (scope: string): boolean =>
    scope.startsWith('admin:') && !(kind === 'person' && scope === 'admin:approvals');
  if (kind === 'service' || !scopes.some(isWrong)) return;
  throw new CliError(
    'usage',
    'Tokens of agents and persons carry tool scopes only; those of persons admin:approvals, too.',
    {
      hint: 'For yourself: `sallyport token --admin`. For a program, such as Prometheus: --kind service.',
    },
  );
}

/** `token list` */
export async function listTokens(options: AdminOptions, context: Context): Promise<void> {
  const { tokens } = (await administer(options, context, 'tokens.list')) as unknown as {
    readonly tokens: readonly Token[];
  };
  if (options.json) return printJson(context, { tokens });
  if (tokens.length === 0) return say(context, 'There are no tokens. `sallyport token create --name …` makes one.');
  const { style } = context;
  const rows = tokens.map((token) => [
    token.id,
    token.account,
    token.kind,
    token.state === 'active' ? style.green(token.state) : style.dim(token.state),
    expiryText(token),
    token.label,
    token.scopes.join(' '),
  ]);
  print(context, table(['id', 'account', 'kind', 'state', 'expires', 'label', 'scopes'], rows, style.dim));
}

/** `token revoke` */
export async function revokeToken(id: string, options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'tokens.revoke', { id });
  if (options.json) return printJson(context, answer);
  print(
    context,
    answer.changed === true
      ? `Token ${id} is revoked: the next call with it is refused.`
      : `Token ${id} was revoked already.`,
  );
}

/** `token rotate` */
export async function rotateToken(
  id: string,
  options: AdminOptions & { readonly overlap: string },
  context: Context,
): Promise<void> {
  const overlapSeconds = parseDuration(options.overlap) / 1000;
  const minted = (await administer(options, context, 'tokens.rotate', { id, overlapSeconds })) as unknown as Token;
  showOnce(minted, options, context);
  if (!options.json) say(context, `The old token stays good for ${durationText(overlapSeconds * 1000)}.`);
}

function showOnce(minted: Token, { json }: AdminOptions, context: Context): void {
  if (json) {
    printJson(context, minted);
    return;
  }
  // The secret alone on stdout, so that it can be captured; what a person needs to know beside it.
  print(context, minted.token ?? '');
  const { dim } = context.errorStyle;
  say(context, dim(`id ${minted.id} · ${minted.kind} ${minted.account} · expires in ${expiryText(minted)}`));
  say(context, dim(`scopes ${minted.scopes.join(' ') || '(none: only tools that ask for no scope)'}`));
  say(context, 'Keep it now: it is not shown again.');
}

function expiryText({ expiresAt, state }: Token): string {
  return state === 'active' ? durationText(Date.parse(expiresAt) - Date.now()) : '—';
}
