import type { Actor, ApprovalContext, ApprovalEvent, ApprovalNeed, ApprovalRequester } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';

/** How much of a call a message tells. */
export interface MessageOptions {
  /** Whether the arguments stand in it. They may be confidential. */
  readonly isWhole: boolean;
}

/** A message for programs. `arguments` is the text that would leave, so that no number changes on the way. */
export function jsonMessage({ kind, approval, context }: ApprovalEvent, { isWhole }: MessageOptions): JsonObject {
  const { id, state, binding, votes, createdAtMs, expiresAtMs, callId } = approval;
  const { requester, tool, service, method, argumentsHash, needs } = binding;
  const opened = context();
  return {
    event: kind,
    approval: {
      ...{ id, state, tool, service, method, argumentsHash, callId },
      requester: {
        ...{ subject: requester.subject, actors: [...actorsOf(requester.actor)], client: requester.client },
        ...(requester.tenant !== undefined && { tenant: requester.tenant }),
        ...(requester.app !== undefined && { app: requester.app }),
      },
      needs: needs.map(needJson),
      votes: votes.map(({ subject, verdict, consents }) => ({ subject, verdict, ...(consents && { consents }) })),
      createdAt: new Date(createdAtMs).toISOString(),
      expiresAt: new Date(expiresAtMs).toISOString(),
      ...(opened && factsOf(opened)),
      ...(opened && isWhole && { arguments: opened.argumentsText }),
      show: showLine(id),
    },
  };
}

function needJson(need: ApprovalNeed): JsonObject {
  return 'by' in need ? { by: need.by } : { scope: need.scope, approvals: need.approvals };
}

function needText(need: ApprovalNeed, { subject }: ApprovalRequester): string {
  return 'by' in need ? `${subject}'s own consent` : `${need.approvals} × ${need.scope}`;
}

function factsOf({ title, sideEffect, classification, owner, why, environment, risk }: ApprovalContext): JsonObject {
  return {
    ...{ sideEffect, classification, owner, why: [...why] },
    ...(title !== undefined && { title }),
    ...(environment !== undefined && { environment }),
    ...(risk && { riskScore: risk.score }),
  };
}

/** A message for Slack (Block Kit): with two buttons where there is something to decide. Nothing in it is read as markup. */
export function slackMessage(event: ApprovalEvent, { isWhole }: MessageOptions): JsonObject {
  const { kind, approval, context } = event;
  const { id, binding, votes, expiresAtMs } = approval;
  if (kind !== 'requested') {
    const [last] = votes.slice(-1);
    const by = last === undefined ? '' : ` (${last.subject})`;
    const said = `${id} ${kind === 'voted' ? 'has one more approval' : `is ${kind}`}: ${binding.tool}${by}`;
    return { text: escaped(said), blocks: [section(said)] };
  }
  const opened = context();
  const title = `${who(binding.requester)} wants to call ${binding.tool}`;
  const facts = [
    ...(opened === undefined ? [] : opened.why),
    ...(opened?.risk === undefined ? [] : [`Risk: ${opened.risk.score}`]),
    `Needs: ${binding.needs.map((need) => needText(need, binding.requester)).join(', ')}`,
    `Until: ${new Date(expiresAtMs).toISOString()}`,
    `Details: ${showLine(id)}`,
  ];
  return {
    text: escaped(title),
    blocks: [
      section(title),
      section(facts.join('\n')),
      ...(isWhole && opened ? [section(`Arguments: ${opened.argumentsText}`)] : []),
      { type: 'actions', block_id: id, elements: [button('approve', id), button('reject', id)] },
    ],
  };
}

/** A call that a policy wants told. */
export interface CallNotice {
  readonly policy: string;
  readonly callId: string;
  readonly tool: string;
  readonly service: string;
  readonly subject: string;
  readonly actor?: string;
  readonly client: string;
  /** Whether the answer came, a question, or nobody knows. */
  readonly fate: 'answered' | 'asked' | 'unknown';
}

/** A message for programs that a call was made. */
export function jsonNotice(notice: CallNotice): JsonObject {
  const { policy, callId, tool, service, subject, actor, client, fate } = notice;
  return {
    event: 'call',
    call: { ...{ callId, tool, service, subject, client, policy, fate }, ...(actor !== undefined && { actor }) },
  };
}

/** The same for Slack. */
export function slackNotice({ policy, callId, tool, subject, actor, fate }: CallNotice): JsonObject {
  const caller = actor === undefined ? subject : `${actor} for ${subject}`;
  const ending = fate === 'unknown' ? ', and nobody knows what came of it' : '';
  const said = `${caller} called ${tool}${ending}`;
  return { text: escaped(said), blocks: [section(said), section(`Policy: ${policy}\nCall: ${callId}`)] };
}

/** Slack's own limit for the text of a section, in characters. */
const longestText = 3_000;

function section(text: string): JsonObject {
  const shown = text.length > longestText ? `${text.slice(0, longestText - 1)}…` : text;
  return { type: 'section', text: { type: 'plain_text', text: shown, emoji: false } };
}

const labels = { approve: 'Approve', reject: 'Reject' } as const;

function button(decision: keyof typeof labels, id: string): JsonValue {
  return {
    type: 'button',
    ...{ action_id: decision, value: id, style: decision === 'approve' ? 'primary' : 'danger' },
    text: { type: 'plain_text', text: labels[decision] },
  };
}

/** The fallback text of a message is markup: a name must not call a whole channel. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function who({ subject, actor }: { readonly subject: string; readonly actor?: Actor }): string {
  const actors = [...actorsOf(actor)];
  return actors.length === 0 ? subject : `${actors.join(' for ')} for ${subject}`;
}

function* actorsOf(actor: Actor | undefined): Generator<string> {
  for (let one = actor; one !== undefined; one = one.actor) yield one.subject;
}

function showLine(id: string): string {
  return `sallyport approvals show ${id}`;
}
