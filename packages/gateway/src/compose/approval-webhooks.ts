import {
  type ApprovalChannel,
  type Authenticator,
  GatewayError,
  notResponsible,
  type Principal,
} from '@sallyport/core';
import type { Logger } from 'pino';
import { createWebhook, type Webhook, type WebhookPost } from '../approval/webhook.ts';
import { type AnswerReader, createAnswerReader } from '../approval/webhook-answer.ts';
import type { ApprovalWebhook } from '../config/approval-webhooks.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createReadSecret, type SecretPlace, secretPlaces } from '../credentials/index.ts';
import type { GuardedConnectorOptions } from '../egress/index.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import type { Accounts } from '../store/accounts.ts';
import { createGuards, isOfThisMachine } from './guarded.ts';
import type { Lifetime } from './lifetime.ts';
import type { OnNotice } from './notices.ts';

/** What webhooks lean on. */
export interface WebhooksParts {
  /** As it is now: a reload counts from the next message on. */
  readonly config: () => Pick<GatewayConfig, 'approvals'>;
  readonly accounts: Pick<Accounts, 'find'>;
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'> | undefined;
  readonly nowMs: () => number;
  readonly log: Pick<Logger, 'warn'>;
  readonly life: Lifetime;
}

/** How people are told of approvals at addresses of the configuration, and how they answer there. */
export interface ApprovalWebhooks {
  readonly channels: () => readonly ApprovalChannel[];
  /** Knows whose answer it is. For administration alone. */
  readonly authenticator: Authenticator;
  readonly readAnswer: AnswerReader['read'];
  /** Tells the webhook that has the name of the notice's channel, if there is one. */
  readonly onNotice: OnNotice;
}

/** Makes both. @throws Error when a secret cannot be read that the configuration names at the start. */
export function createApprovalWebhooks(parts: WebhooksParts): ApprovalWebhooks {
  const { config, nowMs, log } = parts;
  const readSecret = createReadSecret({ readFile: readPrivateFile, env: process.env });
  const postFor = createPost(parts);
  const ending = new AbortController();
  parts.life.onClose(() => ending.abort());
  const webhooks = () => config().approvals.webhooks;
  for (const place of secretPlaces(webhooks())) readSecret(place);
  const named = (name: string) => webhooks().find((one) => one.name === name);
  const made = new WeakMap<ApprovalWebhook, Webhook>();
  const channelOf = (settings: ApprovalWebhook): Webhook => {
    const { url, secret } = settings;
    const channel =
      made.get(settings) ??
      createWebhook({
        ...{ settings, post: postFor(settings.networks), nowMs },
        url: () => (typeof url === 'string' ? url : readSecret(url)),
        secret: () => readSecret(secret),
      });
    made.set(settings, channel);
    return channel;
  };
  const answers = createAnswerReader({
    nowMs,
    secretOf: (name) => {
      const webhook = named(name);
      return webhook && { format: webhook.format, secret: secretOrRefuse(readSecret, webhook.secret, log) };
    },
  });
  return {
    channels: () => webhooks().map(channelOf),
    authenticator: {
      authenticate({ presented }) {
        if (presented.kind !== 'answer') return notResponsible;
        const approver = named(presented.channel)?.approvers.get(presented.approver);
        if (approver === undefined) throw new GatewayError('credential_invalid');
        return principalOf(parts.accounts, { ...presented, ...approver });
      },
    },
    readAnswer: answers.read,
    onNotice(notice) {
      const settings = named(notice.channel);
      if (settings === undefined) return;
      const failed = (err: unknown): void => log.warn({ err, channel: notice.channel }, 'a notice could not be sent');
      channelOf(settings).notice(notice, ending.signal).catch(failed);
    },
  };
}

function secretOrRefuse(read: (place: SecretPlace) => string, place: SecretPlace, log: Pick<Logger, 'warn'>): string {
  try {
    return read(place);
  } catch (err) {
    log.warn({ err }, 'the secret of a webhook cannot be read');
    throw new GatewayError('credential_invalid', {}, { cause: err });
  }
}

/** Every approver may take part in approvals, and decides by the scopes that the configuration says; without any it consents. */
function scopesOf(decided: readonly string[]): readonly string[] {
  return decided.length === 0 ? ['admin:consent'] : ['admin:approvals', ...decided];
}

interface Answering {
  readonly channel: string;
  readonly approver: string;
  readonly account: string;
  readonly scopes: readonly string[];
}

async function principalOf(
  accounts: Pick<Accounts, 'find'>,
  { channel, approver, account: name, scopes }: Answering,
): Promise<Principal> {
  const account = await accounts.find(name);
  if (account === undefined) throw new GatewayError('credential_invalid');
  if (account.disabledAtMs !== undefined) throw new GatewayError('credential_revoked');
  return {
    subject: account.name,
    client: `webhook:${channel}`,
    ...(account.tenant !== undefined && { tenant: account.tenant }),
    kind: account.kind,
    scopes: scopesOf(scopes),
    attributes: {},
    method: 'webhook-answer',
    credentialId: `webhook:${channel}/${approver}`,
  };
}

/** How a message is sent: to the internet, the networks that the configuration names, and this machine where the address says so. */
function createPost(parts: Pick<WebhooksParts, 'life' | 'egress'>) {
  const guardFor = createGuards(parts);
  return (ranges: readonly string[]) => (url: string, request: WebhookPost) =>
    guardFor({ allow: { loopback: isOfThisMachine(url), ranges } }).fetch(url, { method: 'POST', ...request });
}
