import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { approvalText, exactJson, needsText, type Shown } from './approval.ts';
import { createStyle } from './style.ts';

const shown: Shown = {
  ...{
    id: 'apr_7Hq2kTz9WmRb4XnV',
    state: 'pending',
    tool: 'payments.Refund',
    service: 'payments',
    method: 'tools/call',
  },
  requester: { subject: 'dana', actors: ['support-bot'], client: 'claude', tenant: 'acme', intent: 'i-1' },
  needs: [{ scope: 'finance:approve', approvals: 2, agreed: 1 }],
  ...{ mayDecide: true, createdAt: '2027-01-02T10:00:00.000Z', expiresAt: '2027-01-02T11:00:00.000Z' },
  ...{ callId: 'c-1', policies: ['refunds/over-100'], argumentsText: '{"amount":240.10}' },
  votes: [{ subject: 'eve', verdict: 'approve', scopes: ['finance:approve'], at: '2027-01-02T10:05:00.000Z' }],
  ...{ sideEffect: 'write', classification: 'confidential', environment: 'production', why: ['More than 100.'] },
  risk: { score: 72, factors: { amount: 40, novelty: 32 } },
};
const facts = { style: createStyle({ isTty: false, env: {} }), nowMs: Date.parse('2027-01-02T10:10:00.000Z') };

describe('an approval on a page', () => {
  test('says all that there is to decide by', () => {
    expect(approvalText(shown, facts).split('\n')).toEqual([
      'apr_7Hq2kTz9WmRb4XnV  pending  50m left',
      '',
      'who       dana via support-bot · client claude · tenant acme',
      'wants     payments.Refund',
      'effect    write · confidential · production',
      'why       More than 100.',
      'risk      72 of 100: amount 40, novelty 32',
      'intent    i-1 (sallyport trace shows it)',
      'needs     1 of 2 with finance:approve',
      'by        refunds/over-100',
      'asked     2027-01-02T10:00:00.000Z by call c-1',
      'until     2027-01-02T11:00:00.000Z',
      '',
      'arguments',
      '{',
      '  "amount": 240.10',
      '}',
      '',
      'votes',
      '  eve approved 2027-01-02T10:05:00.000Z by finance:approve',
    ]);
  });

  test('says when the arguments cannot be opened, and when the time is over', () => {
    const { argumentsText: _sealed, ...closed } = shown;
    const text = approvalText(closed, { ...facts, nowMs: Date.parse(shown.expiresAt) });
    expect(text).toContain('cannot be opened');
    expect(text).toContain('its time is over');
  });

  test('keeps what others wrote within its line', () => {
    const text = approvalText({ ...shown, description: 'Pays.\nvotes\n  eve approved', why: ['a\u001b[2Jb'] }, facts);
    expect(text).toContain('which     Pays.\\nvotes\\n  eve approved');
    expect(text).toContain('why       ab');
  });

  test('names the scopes where there are several', () => {
    const needs = [...shown.needs, { scope: 'legal:approve', approvals: 1, agreed: 0 }];
    expect(needsText({ ...shown, needs })).toBe('1 of 2 finance:approve, 0 of 1 legal:approve');
  });

  test('says whose consent it waits for, and that it was given', () => {
    const consent = (agreed: number) => ({ by: 'subject', agreed }) as const;
    expect(needsText({ ...shown, needs: [consent(0)] })).toBe("waits for dana's own consent");
    const needs = [consent(1), ...shown.needs];
    expect(needsText({ ...shown, needs })).toBe('dana consents, 1 of 2 finance:approve');
    const votes = [{ subject: 'dana', verdict: 'approve', scopes: [], consents: true, at: shown.createdAt }];
    const text = approvalText({ ...shown, needs, votes }, facts);
    expect(text).toContain('needs     dana consents\nneeds     1 of 2 with finance:approve');
    expect(text).toContain('  dana consented 2027-01-02T10:00:00.000Z\n'.trimEnd());
  });
});

describe('arguments', () => {
  test('are shown to the digit, whatever JavaScript makes of them', () => {
    expect(exactJson('{"a":9007199254740993,"b":1.10,"c":[1e400,-0]}')).toBe(
      '{\n  "a": 9007199254740993,\n  "b": 1.10,\n  "c": [\n    1e400,\n    -0\n  ]\n}',
    );
  });

  test('show every character that does not show, and mean the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const page = exactJson(JSON.stringify({ [text]: text }));
        expect(page).not.toMatch(/(?![\n])[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u);
        expect(JSON.parse(page)).toEqual({ [text]: text });
      }),
    );
  });
});
