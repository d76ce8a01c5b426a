import { GatewayError } from '@sallyport/core';
import { isJsonObject, type JsonObject, type JsonValue, parseStrict } from '@sallyport/protocol';
import { type SignedBody, signatureLifeMs, type Verified, verify, verifySlack } from './webhook-signature.ts';

/** What somebody answered to a message. */
export interface WebhookAnswer {
  readonly id: string;
  readonly decision: 'approve' | 'reject';
  /** As the other side knows them; whose account that is, the configuration says. */
  readonly approver: string;
  readonly reason: string | undefined;
}

/** What reading answers needs. */
export interface AnswerParts {
  /** The secret of a webhook; `undefined` where there is none of this name. */
  readonly secretOf: (webhook: string) => { readonly format: 'json' | 'slack'; readonly secret: string } | undefined;
  readonly nowMs: () => number;
}

/** Reads answers. Nothing in a body is looked at before its signature was found to be right. */
export interface AnswerReader {
  /** @throws GatewayError `credential_invalid`, `credential_expired`, `malformed_json` or `malformed_request`. */
  read(webhook: string, signed: SignedBody): WebhookAnswer;
}

/** Remembers signatures for as long as they are good, in this process. A vote counts once in any case. */
export function createAnswerReader({ secretOf, nowMs }: AnswerParts): AnswerReader {
  const seen = new Map<string, number>();
  const refuseReplay = ({ signature, madeAtMs }: Verified): void => {
    const now = nowMs();
    if (!(Math.abs(now - madeAtMs) <= signatureLifeMs)) throw new GatewayError('credential_expired');
    for (const [old, untilMs] of seen) {
      if (untilMs > now) break;
      seen.delete(old);
    }
    if (seen.has(signature)) throw new GatewayError('credential_invalid');
    // A clock that is ahead: its signatures are good for longer.
    seen.set(signature, now + 2 * signatureLifeMs);
  };
  return {
    read(webhook, signed) {
      const known = secretOf(webhook);
      if (known === undefined) throw new GatewayError('credential_invalid');
      const { format, secret } = known;
      const verified = (format === 'slack' ? verifySlack : verify)(secret, signed);
      if (verified === undefined) throw new GatewayError('credential_invalid');
      refuseReplay(verified);
      return format === 'slack' ? readSlack(signed.body) : readJson(signed.body);
    },
  };
}

function readJson(body: Buffer): WebhookAnswer {
  const { id, decision, approver, reason } = parsed(body.toString('utf8'));
  return answerOf({ id, decision, approver, reason });
}

/** Slack's form of an interaction (`block_actions`): one button of one message, by one of its users. */
function readSlack(body: Buffer): WebhookAnswer {
  const payload = parsed(new URLSearchParams(body.toString('utf8')).get('payload') ?? '');
  const { user, actions, type } = payload;
  const [action] = Array.isArray(actions) ? (actions as readonly JsonValue[]) : [];
  if (type !== 'block_actions' || !isJsonObject(user) || !isJsonObject(action))
    throw malformed('no button was pressed');
  return answerOf({ id: action.value, decision: action.action_id, approver: user.id, reason: 'Answered in Slack.' });
}

type Unread = { readonly [Name in keyof WebhookAnswer]: JsonValue | undefined };

function answerOf({ id, decision, approver, reason }: Unread): WebhookAnswer {
  if (typeof id !== 'string' || id === '') throw malformed('/id: must be the id of an approval');
  if (decision !== 'approve' && decision !== 'reject') throw malformed('/decision: must be approve or reject');
  if (typeof approver !== 'string' || approver === '') throw malformed('/approver: must be text');
  if (reason !== undefined && typeof reason !== 'string') throw malformed('/reason: must be text');
  return { id, decision, approver, reason };
}

function parsed(text: string): JsonObject {
  try {
    const { value } = parseStrict(text, { envelope: { members: [], inside: '', inner: [] } });
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new GatewayError('malformed_json', {}, { cause });
  }
  throw malformed('the body must be an object');
}

function malformed(issue: string): GatewayError {
  return new GatewayError('malformed_request', { issues: [issue] });
}
