import { createHmac } from 'node:crypto';
import type { Approval, ApprovalContext, ApprovalEvent } from '@sallyport/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWebhook, type WebhookParts, type WebhookSettings } from './webhook.ts';
import { createAnswerReader } from './webhook-answer.ts';
import { type CallNotice, slackMessage } from './webhook-message.ts';
import { sign, verify } from './webhook-signature.ts';

const approval = {
  ...{ id: 'apr_1', state: 'pending', votes: [], createdAtMs: 0, expiresAtMs: 60_000, callId: 'call-1' },
  binding: {
    ...{ requester: { subject: '<!channel> bot', client: 'c', actor: { subject: 'helper' } }, tool: 'pay.Refund' },
    ...{ service: 'pay', method: 'tools/call', argumentsHash: 'h', definitionHash: 'd', policyRevision: 'p' },
    needs: [{ scope: 'pay:approve', approvals: 2 }],
  },
} as unknown as Approval;
const context = {
  ...{ argumentsText: `{"note":"${'x'.repeat(4_000)}"}`, why: ['It is much.'], sideEffect: 'write' },
  ...{ classification: 'confidential', owner: 'team', kind: 'agent', description: '', version: '1' },
} as unknown as ApprovalContext;
const event: ApprovalEvent = { kind: 'requested', approval, context: () => context };

const settings: WebhookSettings = { name: 'desk', format: 'json', include: 'digest', events: ['requested'] };
const never = new AbortController().signal;

function setUp(statuses: readonly (number | Error)[], more: Partial<WebhookParts> = {}) {
  const sent: { readonly url: string; readonly body: string; readonly headers: Readonly<Record<string, string>> }[] =
    [];
  const channel = createWebhook({
    settings,
    ...{ url: () => 'https://desk.example/', secret: () => 'k', nowMs: () => 7_000, pausesMs: [1, 1] },
    async post(url, { body, headers }) {
      sent.push({ url, body, headers });
      const status = statuses[sent.length - 1] ?? 200;
      if (status instanceof Error) throw status;
      return { status };
    },
    ...more,
  });
  return { channel, sent };
}

describe('a webhook', () => {
  it('signs what it sends, and tries again where that may help', async () => {
    const { channel, sent } = setUp([new Error('away'), 503, 200]);
    await channel.tell(event, never);
    expect(sent).toHaveLength(3);
    const body = String(sent.at(0)?.body);
    expect(sent.at(0)?.headers).toMatchObject({ 'sallyport-signature': sign('k', body, 7_000) });
    expect(body).not.toContain('xxx');
  });

  it('gives up after a few attempts, and at once where it is told that it is wrong', async () => {
    const slow = setUp([500, 500, 500]);
    await expect(slow.channel.tell(event, never)).rejects.toThrow('could not be reached');
    expect(slow.sent).toHaveLength(3);
    const wrong = setUp([404]);
    await expect(wrong.channel.tell(event, never)).rejects.toThrow('HTTP 404');
    expect(wrong.sent).toHaveLength(1);
  });

  it('ends with the gateway', async () => {
    const ending = new AbortController();
    const { channel } = setUp([503], { pausesMs: [60_000] });
    const told = channel.tell(event, ending.signal);
    ending.abort(new Error('ending'));
    await expect(told).rejects.toThrow('ending');
  });

  it('is told of nothing else, and not of more at a time than it takes', async () => {
    const { channel, sent } = setUp([], { post: () => new Promise(() => undefined) });
    await channel.tell({ ...event, kind: 'granted' }, never);
    expect(sent).toEqual([]);
    for (let one = 0; one < 100; one++) void channel.tell(event, never);
    await expect(channel.tell(event, never)).rejects.toThrow('too slow');
  });
});

describe('a notice', () => {
  const call: CallNotice = {
    ...{ policy: 'refunds/notify', callId: 'call-1', tool: 'pay.Refund', service: 'pay', subject: 'ada' },
    ...{ actor: 'helper', client: 'c' },
    fate: 'unknown',
  };

  it('tells of a call in the words of its receiver', async () => {
    const program = setUp([503]);
    await program.channel.notice(call, never);
    expect(program.sent).toHaveLength(2);
    expect(JSON.parse(String(program.sent.at(1)?.body))).toEqual({
      ...{ event: 'call', call, sentAt: new Date(7_000).toISOString() },
    });
    const people = setUp([], { settings: { ...settings, format: 'slack' } });
    await people.channel.notice(call, never);
    expect(people.sent.at(0)?.body).toContain('helper for ada called pay.Refund, and nobody knows what came of it');
  });
});

describe('a message for Slack', () => {
  it('calls nobody, is not longer than Slack takes, and names all who ask', () => {
    const message = slackMessage(event, { isWhole: true });
    expect(message.text).toBe('helper for &lt;!channel&gt; bot wants to call pay.Refund');
    const texts = (message.blocks as { text?: { type: string; text: string } }[]).flatMap(({ text }) => text ?? []);
    for (const { type, text } of texts) {
      expect(type).toBe('plain_text');
      expect(text.length).toBeLessThanOrEqual(3_000);
    }
    expect(JSON.stringify(message)).toContain('2 × pay:approve');
    const needs = [{ by: 'subject' }] as const;
    const consent = { ...event, approval: { ...approval, binding: { ...approval.binding, needs } } };
    expect(JSON.stringify(slackMessage(consent, { isWhole: true }))).toContain("Needs: <!channel> bot's own consent");
  });

  it('tells without buttons what was decided', () => {
    const votes = [{ voter: 'v', subject: 'eve', verdict: 'approve', scopes: [], atMs: 0 }] as const;
    const decided = { ...event, kind: 'granted', approval: { ...approval, votes } } as const;
    expect(JSON.stringify(slackMessage(decided, { isWhole: true }))).toContain('apr_1 is granted: pay.Refund (eve)');
    expect(JSON.stringify(slackMessage(decided, { isWhole: true }))).not.toContain('button');
  });
});

describe('a signature', () => {
  const body = Buffer.from('{}');
  const signed = (header: string) => ({ body, header: () => header });

  it('holds for its body and its secret alone', () => {
    const right = sign('k', '{}', 5_000);
    expect(verify('k', signed(right))).toMatchObject({ madeAtMs: 5_000 });
    expect(verify('other', signed(right))).toBeUndefined();
    expect(verify('k', { body: Buffer.from('{} '), header: () => right })).toBeUndefined();
    for (const wrong of ['', 't=5', `${right},v1=00`, right.replace('t=5', 't=6'), right.replace('v1', 'v0')]) {
      expect(verify('k', signed(wrong))).toBeUndefined();
    }
  });

  it('makes no nonsense an answer, and nothing but a refusal of it', () => {
    const wanted = fc.constantFrom('id', 'decision', 'approver', 'payload', 'user', 'actions', 'type', '__proto__');
    const nonsense = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(wanted, fc.jsonValue()).map((one) => JSON.stringify(one)),
    );
    fc.assert(
      fc.property(nonsense, fc.constantFrom('json', 'slack'), (text, format) => {
        const reader = createAnswerReader({ nowMs: () => 0, secretOf: () => ({ format, secret: 'k' }) });
        const sent = format === 'json' ? text : new URLSearchParams({ payload: text }).toString();
        const slack = `v0=${createHmac('sha256', 'k').update(`v0:0:${sent}`).digest('hex')}`;
        const headers = new Map([
          ['sallyport-signature', sign('k', sent, 0)],
          ['x-slack-signature', slack],
          ['x-slack-request-timestamp', '0'],
        ]);
        const read = () => reader.read('desk', { body: Buffer.from(sent), header: (name) => headers.get(name) });
        expect(read).toThrow(expect.objectContaining({ reason: expect.stringMatching(/^malformed_/) }));
      }),
    );
  });

  it('is taken once, within five minutes', () => {
    let now = 1_000_000;
    const reader = createAnswerReader({ nowMs: () => now, secretOf: () => ({ format: 'json', secret: 'k' }) });
    const text = JSON.stringify({ id: 'apr_1', decision: 'approve', approver: 'eve' });
    const read = (madeAtMs: number) => {
      const header = sign('k', text, madeAtMs);
      return reader.read('desk', { body: Buffer.from(text), header: () => header });
    };
    expect(read(now)).toMatchObject({ id: 'apr_1', approver: 'eve' });
    expect(() => read(now)).toThrow(expect.objectContaining({ reason: 'credential_invalid' }));
    expect(() => read(now - 301_000)).toThrow(expect.objectContaining({ reason: 'credential_expired' }));
    const first = now;
    now += 299_000;
    expect(() => read(first)).toThrow(expect.objectContaining({ reason: 'credential_invalid' }));
    now += 10_000;
    expect(() => read(first)).toThrow(expect.objectContaining({ reason: 'credential_expired' }));
  });
});
