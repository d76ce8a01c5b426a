import { z } from 'zod';
import { secretShape, toSecretPlace } from '../credentials/config.ts';
import type { SecretPlace } from '../credentials/settings.ts';
import { listOf, names } from '../text/shapes.ts';
import * as field from './fields.ts';

const events = ['requested', 'voted', 'granted', 'rejected', 'withdrawn', 'expired'] as const;

const notAnAddress =
  'expected an https URL (http only for this machine) without a password, or { file: … } or { env: NAME }';

const address = z
  .string({ error: notAnAddress })
  .refine(
    (value) => {
      const url = URL.parse(value);
      if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
      return url.protocol === 'https:' || (url.protocol === 'http:' && field.isLoopbackHost(url.hostname));
    },
    { error: notAnAddress },
  )
  .meta({ title: 'url' });

const approver = z
  .strictObject(
    {
      account: z
        .string({ error: 'expected the name of an account' })
        .regex(/^[^\s\p{C}]{1,200}$/u, { error: 'expected the name of an account' })
        .describe('Whose answers these are: an account of the gateway.'),
      scopes: listOf(field.scope, names('scopes'))
        .prefault([])
        .describe(
          'Scopes that the account decides by when it answers here, like `payments:approve`. Without any it can only consent to what is done on its behalf.',
        ),
    },
    { error: 'expected { account: alice, scopes: [payments:approve] }' },
  )
  .describe('Whose answers are taken.');

const webhook = z
  .strictObject(
    {
      url: z
        .union([address, secretShape(field)], { error: notAnAddress })
        .describe(
          'Where messages go, or the secret that holds it: who knows the address of a Slack webhook may post there.',
        ),
      secret: secretShape(field).describe(
        'Signs messages (`Sallyport-Signature`) and answers; with `slack` the signing secret of the app.',
      ),
      format: z
        .enum(['json', 'slack'], { error: 'expected json or slack' })
        .prefault('json')
        .describe('`json` is for programs, `slack` a message with two buttons.'),
      include: z
        .enum(['digest', 'arguments'], { error: 'expected digest or arguments' })
        .prefault('digest')
        .describe('Whether messages hold the arguments of calls, which may be confidential, or a digest of them.'),
      events: listOf(
        z.enum(events, { error: `expected some of ${events.join(', ')}` }),
        names(`events: ${events.join(', ')}`),
      )
        .prefault([...events])
        .describe('What messages are about.'),
      networks: listOf(field.cidr, names('address ranges'))
        .prefault([])
        .describe('Where the address may be beside the internet. This machine may, if the address says so.'),
      approvers: z
        .record(z.string().min(1), approver, { error: 'expected approvers by the name or id that they answer under' })
        .prefault({})
        .describe('Who may answer, by the name or id that answers come under (with `slack` the id of the user).'),
    },
    { error: 'expected a webhook like { url: …, secret: { file: … } }' },
  )
  .describe('Where people are told of calls that wait for them.');

/** The webhooks of a configuration, by name. */
export const webhooksShape = z
  .record(field.viewName, webhook, { error: 'expected webhooks by name' })
  .prefault({})
  .describe('Addresses that are told of approvals, and may answer, by name.');

/** One of them as the gateway uses it. */
export interface ApprovalWebhook {
  readonly name: string;
  readonly url: string | SecretPlace;
  readonly secret: SecretPlace;
  readonly format: 'json' | 'slack';
  readonly include: 'digest' | 'arguments';
  readonly events: readonly (typeof events)[number][];
  /** CIDRs. */
  readonly networks: readonly string[];
  /** By the name or id that answers come under. */
  readonly approvers: ReadonlyMap<string, { readonly account: string; readonly scopes: readonly string[] }>;
}

/** Paths of secrets are relative to the folder of the file. */
export function toWebhooks(section: z.output<typeof webhooksShape>, folder: string): readonly ApprovalWebhook[] {
  return Object.entries(section).map(([name, { url, secret, approvers, ...rest }]) => ({
    name,
    url: typeof url === 'string' ? url : toSecretPlace(url, folder),
    secret: toSecretPlace(secret, folder),
    approvers: new Map(Object.entries(approvers)),
    ...rest,
  }));
}
