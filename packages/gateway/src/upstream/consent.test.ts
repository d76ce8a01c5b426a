import {
  type Answer,
  GatewayError,
  type Hop,
  type JsonText,
  type OutboundCredential,
  type Retry,
} from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { toRefusal, withConsent } from './consent.ts';
import { CredentialTrouble } from './credential-trouble.ts';

type Consent = Extract<OutboundCredential, { kind: 'consent' }>;

const bearer: OutboundCredential = { kind: 'bearer', token: 't' };
const consent: Consent = { kind: 'consent', url: 'https://gate.example/credentials/connect/abc', message: 'agree' };
const good: Answer = { text: '{"content":[]}' as JsonText, isError: false, instance: 'i1' };
const capable = '{"elicitation":{"url":{}}}' as JsonText;

function hopWith(credential: OutboundCredential, more: { era?: Hop['era']; capabilitiesText?: string } = {}): Hop {
  const { era = 'modern', capabilitiesText = capable } = more;
  const { signal } = new AbortController();
  return {
    ...{ credential, era, signal, timeoutMs: 10_000, transport: 'http', sent: () => undefined },
    trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true } as unknown as Hop['trace'],
    client: { capabilitiesText: capabilitiesText as JsonText, conversation: 'c' },
  };
}

const accepted = (before: Retry | null = null, action = 'accept'): Retry => ({
  requestState: `consent:${JSON.stringify(before)}`,
  inputResponsesText: JSON.stringify({ consent: { action } }) as JsonText,
});

describe('a call that needs consent', () => {
  it('is not sent, and its caller is asked to open the page', async () => {
    let sent = 0;
    const answer = await withConsent({ service: 'tickets', hop: hopWith(consent), retry: undefined }, async () => {
      sent += 1;
      return good;
    });
    expect([sent, answer.resultType]).toEqual([0, 'input_required']);
    expect(JSON.parse(answer.text).inputRequests.consent).toEqual({
      method: 'elicitation/create',
      params: { mode: 'url', message: 'agree', url: consent.url },
    });
  });

  it('goes on once the user has agreed, with what its caller had brought back before', async () => {
    const before = { requestState: 'of-the-service' };
    const settled: Consent = { ...consent, settled: async () => bearer };
    const seen: unknown[] = [];
    const answer = await withConsent(
      { service: 'tickets', hop: hopWith(settled), retry: accepted(before) },
      async (hop, retry) => {
        seen.push(hop.credential, retry);
        return good;
      },
    );
    expect(answer).toBe(good);
    expect(seen).toEqual([bearer, before]);
  });

  it('is asked again when that takes too long, and not at all when he refuses', async () => {
    const slow: Consent = { ...consent, settled: async () => undefined };
    const again = await withConsent({ service: 'tickets', hop: hopWith(slow), retry: accepted() }, async () => good);
    expect(again.resultType).toBe('input_required');
    for (const action of ['decline', 'cancel']) {
      const refused = withConsent(
        { service: 'tickets', hop: hopWith(slow), retry: accepted(null, action) },
        async () => good,
      );
      await expect(refused).rejects.toMatchObject({ reason: 'credential_unavailable' });
    }
  });

  it('is an error with the address in it for a legacy client that cannot be asked', async () => {
    const hop = hopWith(consent, { era: 'legacy', capabilitiesText: '{}' });
    const answer = await withConsent({ service: 'tickets', hop, retry: undefined }, async () => good);
    expect(answer.shape).toBe('error');
    const { code, data } = JSON.parse(answer.text);
    expect([code, data.elicitations[0].url, data.elicitations[0].elicitationId]).toEqual([-32042, consent.url, 'abc']);
  });

  it('is asked for when only the service knew it, and never for the want of somebody else', async () => {
    const hop = hopWith({ kind: 'none' });
    const failing = (given: OutboundCredential) => async (): Promise<Answer> => {
      const cause = new CredentialTrouble({ kind: 'consent', given, consent });
      throw new GatewayError('upstream_unavailable', {}, { cause });
    };
    const mine = await withConsent({ service: 'tickets', hop, retry: undefined }, failing(hop.credential));
    expect(mine.resultType).toBe('input_required');
    const others = withConsent({ service: 'tickets', hop, retry: undefined }, failing(bearer));
    await expect(others).rejects.toMatchObject({ reason: 'upstream_unavailable' });
  });
});

describe('the want of a credential where nobody can be asked', () => {
  const refusal = (trouble: CredentialTrouble) => toRefusal('tickets', trouble) as GatewayError;

  it('says what to do', () => {
    const consenting = refusal(new CredentialTrouble({ kind: 'consent', given: bearer, consent }));
    expect([consenting.reason, consenting.details.issues]).toEqual([
      'credential_unavailable',
      [`agree ${consent.url}`],
    ]);
    const refused = refusal(new CredentialTrouble({ kind: 'refused', given: bearer, status: 401 }));
    expect(refused.details.issues?.[0]).toContain('HTTP 401');
    const error = new GatewayError('credential_unavailable', { issues: ['ask the owner'] });
    expect(refusal(new CredentialTrouble({ kind: 'missing', given: bearer, error }))).toBe(error);
  });

  it('leaves other errors alone', () => {
    const error = new Error('something else');
    expect(toRefusal('tickets', error)).toBe(error);
  });
});
