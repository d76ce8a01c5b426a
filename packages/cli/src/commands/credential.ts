import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson, say } from '../context.ts';
import { table } from '../terminal/table.ts';

/** A grant as the admin API tells of it. */
interface Granted {
  readonly service: string;
  readonly subject?: string;
  readonly tenant?: string;
  readonly issuer: string;
  readonly scopes: readonly string[];
  readonly renewedAt: string;
}

/** `credential connect` */
export async function connectCredential(service: string, options: AdminOptions, context: Context): Promise<void> {
  const answer = await administer(options, context, 'credentials.connect', { service });
  if (options.json) return printJson(context, answer);
  print(context, String(answer.url));
  say(context, 'Open this page in a browser within 15 minutes, and agree there.');
}

/** `credential list` */
export async function listCredentials(options: AdminOptions, context: Context): Promise<void> {
  const { credentials } = (await administer(options, context, 'credentials.list')) as unknown as {
    readonly credentials: readonly Granted[];
  };
  if (options.json) return printJson(context, { credentials });
  if (credentials.length === 0) return say(context, 'Nobody has granted anything to the gateway at a service.');
  const rows = credentials.map(({ service, subject, tenant, issuer, scopes, renewedAt }) => [
    service,
    subject === undefined ? '(the gateway)' : [subject, tenant].filter((part) => part !== undefined).join(' of '),
    issuer,
    renewedAt,
    scopes.join(' '),
  ]);
  print(context, table(['service', 'whose', 'issuer', 'renewed', 'scopes'], rows, context.style.dim));
}

/** `credential revoke` */
export async function revokeCredential(
  service: string,
  { subject, gateway, ...options }: AdminOptions & { readonly subject?: string; readonly gateway?: boolean },
  context: Context,
): Promise<void> {
  const whose = gateway ? { subject: '' } : subject === undefined ? {} : { subject };
  const answer = await administer(options, context, 'credentials.revoke', { service, ...whose });
  if (options.json) return printJson(context, answer);
  print(context, `${String(answer.revoked)} revoked at ${service}; the next call asks for consent again.`);
}
