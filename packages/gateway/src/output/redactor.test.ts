import type { JsonText } from '@sallyport/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { customRule } from './custom-rule.ts';
import { createRedactor, memberRule } from './redactor.ts';
import { isCard, isIban, ruleGroups, rules } from './rules.ts';

const secretsOnly = createRedactor(rules.filter(({ group }) => group === 'secrets'));
const everything = createRedactor(rules);

const say = (value: unknown) => JSON.stringify(value) as JsonText;
const clean = (value: unknown, mayReturn?: readonly string[]) => {
  const text = say(value);
  const found = everything(text, mayReturn);
  return { value: JSON.parse(found?.text ?? text), redacted: found?.redacted ?? {} };
};

const a36 = 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8';
// In pieces, so that no scanner of repositories takes these for what they look like.
const samples: readonly (readonly [rule: string, text: string])[] = [
  ['sallyport-token', `sp_${'0123456789abcdef'}_${a36}_abc123`],
  ['sallyport-token', `spi_${'0123456789abcdef'}_${a36}_abc123`],
  ['aws-access-key', `AKIA${'ABCDEFGHIJ234567'}`],
  ['github-token', `ghp_${a36}`],
  ['github-token', `github_pat_${a36}`],
  ['gitlab-token', `glpat-${a36.slice(0, 20)}`],
  ['slack-token', `xoxb-${'123456789012-abcdefABCDEF'}`],
  ['slack-webhook', `https://hooks.slack.com/services/T0000/B0000/${a36.slice(0, 24)}`],
  ['stripe-key', `sk_live_${a36.slice(0, 24)}`],
  ['google-api-key', `AIza${a36.slice(0, 35)}`],
  ['google-oauth-token', `ya29.${a36}`],
  ['anthropic-key', `sk-ant-${'api03-'}${a36}`],
  ['openai-key', `sk-${'proj-'}${a36}`],
  ['npm-token', `npm_${a36}`],
  ['pypi-token', `pypi-${a36}${a36}`],
  ['sendgrid-key', `SG.${a36.slice(0, 22)}.${a36}`],
  ['twilio-key', `SK${'0123456789abcdef'.repeat(2)}`],
  ['azure-key', `AccountKey=${a36}${a36.slice(0, 8)}==`],
  ['jwt', `eyJ${'hbGciOiJIUzI1NiJ9'}.eyJ${'zdWIiOiIxMjM0NTY3ODkwIn0'}.${a36}`],
  ['bearer-token', `Authorization: Bearer ${a36}`],
  ['private-key', `-----BEGIN RSA PRIVATE KEY-----\n${a36}\n${a36}\n-----END RSA PRIVATE KEY-----`],
  ['password-in-url', `postgres://app:hunter2@db:5432/app`],
  ['assigned-secret', `DB_PASSWORD=s3cr3t-${'Value'}9`],
  ['card-number', '4111 1111 1111 1111'],
  ['iban', 'DE89 3704 0044 0532 0130 00'],
  ['us-ssn', '078-05-1120'],
  ['email', 'ada.lovelace@example.org'],
  ['phone-number', '+49 30 1234567'],
];

describe('a redactor', () => {
  it.each(samples)('takes a %s out of prose, and leaves the prose', (rule, text) => {
    const { value, redacted } = clean({ content: [{ type: 'text', text: `Before (${text}) after.` }] });
    expect(redacted).toEqual({ [rule]: 1 });
    const [{ text: left }] = value.content;
    expect(left).toMatch(/^Before \(.* after\.$/s);
    expect(left).toContain(`[redacted:${rule}]`);
    const opens = text.split(/[=:/@\n ]/).toSorted((a, b) => b.length - a.length)[0] ?? text;
    expect(left).not.toContain(rule === 'password-in-url' ? 'hunter2' : opens);
  });

  it('has a sample for each rule, and each rule a group', () => {
    expect(new Set(samples.map(([rule]) => rule))).toEqual(new Set(rules.map(({ id }) => id)));
    expect(new Set(rules.map(({ group }) => group))).toEqual(new Set(ruleGroups));
  });

  it.each(samples)('finds a %s however its letters are escaped', (rule, text) => {
    const escaped = [...text].map((sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    const found = everything(`{"note":"${escaped}"}` as JsonText);
    expect(found?.redacted).toMatchObject({ [rule]: 1 });
    expect(found?.text).toContain(`[redacted:${rule}]`);
  });

  it.each(samples)('finds a %s in JSON that is quoted in a string, twice', (rule, text) => {
    expect(clean({ text: say({ inner: say([text]) }) }).redacted).toMatchObject({ [rule]: 1 });
  });

  it('finds secrets in texts whose slashes are escaped', () => {
    const text = String.raw`{"dsn":"postgres:\/\/app:hunter2@db\/app","hook":"https:\/\/hooks.slack.com\/services\/T0000\/B0000\/${a36}"}`;
    expect(secretsOnly(text as JsonText)?.redacted).toEqual({ 'password-in-url': 1, 'slack-webhook': 1 });
  });

  it('takes the values of members whose names say it', () => {
    const { value, redacted } = clean({
      password: 'hunter2',
      user: { client_secret: 'x9y8z7w6', accessToken: 'abcdef123456', name: 'Ada' },
      AWS_SECRET_ACCESS_KEY: 'abcd/efgh+ijkl',
      'db-password': 'correct',
    });
    expect(redacted).toEqual({ [memberRule]: 5 });
    expect(value.user.name).toBe('Ada');
    expect(JSON.stringify(value)).not.toMatch(/hunter2|x9y8|abcdef|efgh|correct/);
  });

  it('leaves what only has such a name', () => {
    const harmless = {
      password: null,
      passwordHint: 'your first pet',
      token_count: 1234,
      nextPageToken: 'CAUQAA',
      apiKey: '********',
      access_token: { type: 'string', description: 'The access token to use.' },
      client_secret: 'Ask your administrator for one.',
    };
    expect(clean(harmless)).toEqual({ value: harmless, redacted: {} });
  });

  it.each([
    'task-1234567890-abcdefghijklmnop',
    'https://example.com:8080/a/b?c=d#e',
    'sk-learn-is-a-library-for-machine-learning',
    'the bearer of this letter is entitled',
    '2026-11-21T08:09:48.123Z',
    '1234 5678 9012 3456',
    '550e8400-e29b-41d4-a716-446655440000',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'password: required',
    'eyJust a word. eyJ too.',
    'GB82 WEST 1234 5698 7654 31',
    '@example and @other',
  ])('leaves "%s" alone', (text) => {
    expect(clean({ text })).toEqual({ value: { text }, redacted: {} });
  });

  it('leaves pictures and sound alone', () => {
    const data = `${'A'.repeat(300)}AKIAABCDEFGHIJ234567${'B'.repeat(300)}`;
    expect(clean({ type: 'image', data }).redacted).toEqual({});
    expect(clean({ type: 'text', text: ` AKIAABCDEFGHIJ234567 ${data}` }).redacted).toEqual({ 'aws-access-key': 1 });
  });

  it('keeps members apart whose names were taken', () => {
    const [one, two] = [`ghp_${a36}`, `ghp_${a36.toLowerCase()}`];
    const { value, redacted } = clean({ [one]: 1, [two]: 2 });
    expect(redacted).toEqual({ 'github-token': 2 });
    expect(Object.values(value)).toEqual([1, 2]);
  });

  it('lets through what the operator says a tool may return, by rule, by group, or all', () => {
    const text = `ghp_${a36} npm_${a36} ada@example.org`;
    expect(clean({ text }, ['github-token']).redacted).toEqual({ 'npm-token': 1, email: 1 });
    expect(clean({ text }, ['secrets']).redacted).toEqual({ email: 1 });
    expect(clean({ text }, ['*']).redacted).toEqual({});
    expect(clean({ password: 'hunter22' }, [memberRule]).redacted).toEqual({});
  });

  it('changes no byte of a text without secrets, and none outside of strings with them', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const found = everything(text as JsonText);
        if (found === undefined) return;
        const blank = (json: string) => json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
        expect(blank(found.text)).toBe(blank(text));
      }),
    );
    const text = `{ "n": 1.00e+2,\n "big":12345678901234567890, "s":"ghp_${a36}", "u":"\\u00fc" }` as JsonText;
    expect(secretsOnly(text)?.text).toBe(text.replace(`ghp_${a36}`, '[redacted:github-token]'));
  });

  it('finds a planted secret anywhere in any answer', () => {
    fc.assert(
      fc.property(fc.object(), fc.constantFrom(...samples), (object, [rule, text]) => {
        const planted = { ...object, planted: { deep: [`x ${text} y`] } };
        expect(clean(planted).redacted).toHaveProperty([rule]);
      }),
    );
  });

  it('does it again without finding anything', () => {
    for (const [, text] of samples) {
      const once = everything(say({ text }))?.text ?? '';
      expect(everything(once as JsonText)).toBeUndefined();
    }
  });

  // Each of these would take minutes if some pattern took quadratic time.
  const nasty = [
    'eyJ',
    'sk-',
    'ghp_',
    'AKIA',
    '://',
    '://a:',
    '@',
    'a@',
    'Bearer ',
    '-----BEGIN PRIVATE KEY-----',
    'password=',
    'api_key',
    '+1',
    '4 ',
    'DE89',
    'SG.',
    '_',
    '-',
    '1-',
    'x',
    '\\"',
    '{"',
    '[',
  ];
  it.each(nasty)('takes linear time on a million times "%s"', (piece) => {
    const text = say({ text: piece.repeat(Math.ceil(1_000_000 / piece.length)) });
    expect(everything(text)?.text.length ?? text.length).toBeGreaterThan(0);
  });
});

describe('a rule of the operator', () => {
  it('is searched for in linear time, and takes what its group says', () => {
    const redact = createRedactor([
      customRule({ id: 'employee', pattern: 'E-[0-9]{6}', keywords: ['E-'] }),
      customRule({ id: 'case', pattern: 'case (?P<secret>[A-Z]+)' }),
      customRule({ id: 'slow', pattern: '(a+)+$' }),
    ]);
    const text = say({ text: 'E-123456 opened case ABC, case none' });
    expect(redact(text)).toEqual({
      text: say({ text: '[redacted:employee] opened case [redacted:case], case none' }),
      redacted: { employee: 1, case: 1 },
    });
    expect(redact(say({ text: `${'a'.repeat(200_000)}!` }))).toBeUndefined();
  });

  it('must be a pattern', () => {
    expect(() => customRule({ id: 'x', pattern: '(' })).toThrow(/missing closing/);
    expect(() => customRule({ id: 'x', pattern: '(?=x)' })).toThrow();
  });
});

describe('check digits', () => {
  it('tell cards and accounts from other numbers', () => {
    expect(['4111111111111111', '5500005555555559', '378282246310005'].every(isCard)).toBe(true);
    expect(['4111111111111112', '0000000000000000', '411111111111'].some(isCard)).toBe(false);
    expect(['GB82WEST12345698765432', 'FR14 2004 1010 0505 0001 3M02 606'].every(isIban)).toBe(true);
    expect(['GB82WEST12345698765431', 'GB82'].some(isIban)).toBe(false);
  });
});
