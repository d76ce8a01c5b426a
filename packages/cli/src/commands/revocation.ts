import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { CliError } from '../exit.ts';
import { table } from '../terminal/table.ts';
import { revokeToken } from './token.ts';

/** What of an issuer's tokens is meant: exactly one of these. */
export interface RevokeOptions extends AdminOptions {
  readonly issuer?: string;
  readonly jti?: string;
  readonly subject?: string;
  readonly client?: string;
  readonly session?: string;
  readonly all?: true;
  /** Of a token of the gateway's own; goes with none of the others. */
  readonly id?: string;
}

interface Revocation {
  readonly issuer: string;
  readonly kind: string;
  readonly value: string;
  readonly at: string;
}

/** `token revoke` */
export async function revoke(options: RevokeOptions, context: Context): Promise<void> {
  const { id, issuer } = options;
  const [[kind, value] = [], ...more] = named(options);
  if (id !== undefined && issuer === undefined && kind === undefined) return revokeToken(id, options, context);
  if (id !== undefined || issuer === undefined || kind === undefined || more.length > 0) {
    throw new CliError('usage', 'Name the token to revoke.', {
      hint: 'One of the gateway’s own by its id; one of an issuer by --issuer and one of --jti, --subject, --client, --session and --all.',
    });
  }
  const args = { issuer, kind, ...(value !== undefined && { value }) };
  const answer = await administer(options, context, 'revocations.add', args);
  if (options.json) return printJson(context, answer);
  const what = kind === 'token' ? `Token ${value}` : `What ${value === undefined ? 'anybody' : `${kind} ${value}`} had`;
  print(context, `${what} of ${issuer} is revoked: the next call with it is refused.`);
}

/** `token revocations` */
export async function listRevocations(options: AdminOptions, context: Context): Promise<void> {
  const { revocations } = (await administer(options, context, 'revocations.list')) as unknown as {
    readonly revocations: readonly Revocation[];
  };
  if (options.json) return printJson(context, { revocations });
  if (revocations.length === 0) return say(context, 'No token of an issuer was revoked here.');
  const rows = revocations.map(({ issuer, kind, value, at }) => [issuer, kind, value, at]);
  print(context, table(['issuer', 'kind', 'value', 'at'], rows, context.style.dim));
}

type Named = readonly [kind: string, value: string | undefined];

function named({ jti, subject, client, session, all }: RevokeOptions): readonly Named[] {
  const given = Object.entries({ token: jti, subject, client, session }).filter(([, value]) => value !== undefined);
  return all === true ? [...given, ['all', undefined]] : given;
}
