/**
 * One kind of thing that does not belong into an answer. Rules are data: what to look for, how to be sure, and a name that stands
 * in its place.
 */
export interface RedactionRule {
  /** Stands in the marker, in the record, and in `mayReturn`. */
  readonly id: string;
  readonly group: RuleGroup;
  /**
   * At least one of these is in every text that it finds something in: words, or patterns (linear, without flags) where words
   * would be in too many texts. None: every text is worth a look.
   */
  readonly hints: readonly (string | RegExp)[];
  /** Where in a text it is, first to last, without overlap. Takes linear time on any text. */
  readonly find: (text: string) => Iterable<Place>;
}

/** Part of a text: from `start` up to `end`. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Rules are switched on by group. */
export const ruleGroups = ['secrets', 'cards', 'accounts', 'emails', 'phones'] as const;

/** One of them. */
export type RuleGroup = (typeof ruleGroups)[number];

/*
 * Patterns take linear time because a run of characters is entered at its beginning only: each begins with "not after a
 * character of the run", so that what failed from one place is not tried again from the next. Nothing unbounded follows
 * something unbounded that could match the same characters.
 */
const secrets: readonly (readonly [
  id: string,
  hints: readonly (string | RegExp)[],
  RegExp,
  ((text: string) => boolean)?,
])[] = [
  [
    'sallyport-token',
    [/(?<![0-9A-Za-z_])spi?_/],
    /(?<![0-9A-Za-z_])spi?_[0-9A-Za-z]{16}_[0-9A-Za-z]{32,64}_[0-9A-Za-z]{6}(?![0-9A-Za-z])/g,
  ],
  ['aws-access-key', ['AKIA', 'ASIA'], /(?<![0-9A-Z])A[KS]IA[0-9A-Z]{16}(?![0-9A-Z])/g],
  [
    'github-token',
    ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    /(?<![0-9A-Za-z_])(?:gh[pousr]_|github_pat_)[0-9A-Za-z_]{22,}/g,
  ],
  ['gitlab-token', ['glpat-', 'gldt-', 'glrt-'], /(?<![0-9A-Za-z_-])gl(?:pat|dt|rt)-[0-9A-Za-z_-]{20,}/g],
  ['slack-token', ['xox', 'xapp-'], /(?<![0-9A-Za-z-])(?:xox[abeprs]|xapp)-[0-9A-Za-z-]{10,}/g],
  ['slack-webhook', ['hooks.slack.com'], /hooks\.slack\.com\/(?<secret>(?:services|workflows)\/[0-9A-Za-z/_-]{20,})/g],
  [
    'stripe-key',
    ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'],
    /(?<![0-9A-Za-z_])(?:[sr]k_(?:live|test)_|whsec_)[0-9A-Za-z]{16,}/g,
  ],
  ['google-api-key', ['AIza'], /(?<![0-9A-Za-z_-])AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])/g],
  ['google-oauth-token', ['ya29.', 'GOCSPX-'], /(?<![0-9A-Za-z_.-])(?:ya29\.|GOCSPX-)[0-9A-Za-z_-]{20,}/g],
  ['anthropic-key', ['sk-ant-'], /(?<![0-9A-Za-z_-])sk-ant-[0-9A-Za-z_-]{20,}/g],
  ['openai-key', [/(?<![0-9A-Za-z_-])sk-/], /(?<![0-9A-Za-z_-])sk-(?!ant-)[0-9A-Za-z_-]{20,}/g, hasDigit],
  ['npm-token', ['npm_'], /(?<![0-9A-Za-z_])npm_[0-9A-Za-z]{36}(?![0-9A-Za-z])/g],
  ['pypi-token', ['pypi-'], /(?<![0-9A-Za-z_-])pypi-[0-9A-Za-z_-]{50,}/g],
  ['sendgrid-key', ['SG.'], /(?<![0-9A-Za-z_.-])SG\.[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{16,64}/g],
  ['twilio-key', [/SK[0-9a-f]{8}/], /(?<![0-9A-Za-z])SK[0-9a-f]{32}(?![0-9A-Za-z])/g],
  ['azure-key', ['AccountKey=', 'SharedAccessKey='], /(?:AccountKey|SharedAccessKey)=(?<secret>[0-9A-Za-z+/=]{40,})/g],
  ['jwt', ['eyJ'], /(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]*/g],
  ['bearer-token', ['earer '], /(?<![A-Za-z])[Bb]earer (?<secret>[0-9A-Za-z._~+/=-]{16,})/g, hasDigit],
  ['private-key', ['PRIVATE KEY'], /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?<secret>[^-]*)/g],
  ['password-in-url', [/:\\?\/\\?\/[^\s/@"]{1,200}@/], /:\/\/[^\s:@/?#"<>]{0,200}:(?<secret>[^\s@/?#"<>]{1,200})@/g],
  [
    'assigned-secret',
    [
      'assw',
      'ecret',
      'PASSW',
      'SECRET',
      'pikey',
      'pi_key',
      'pi-key',
      'API_KEY',
      'ccess_token',
      'ccess_key',
      'ACCESS_KEY',
    ],
    /(?<![A-Za-z])(?:[A-Za-z0-9_-]{0,40}(?:passw(?:or)?d|secret|api[_-]?key|access[_-]?(?:token|key)))["']?[ \t]{0,3}[:=][ \t]{0,3}["']?(?<secret>[^\s"',;<>]{8,200})/gi,
    looksDrawn,
  ],
];

const personal: readonly (Omit<RedactionRule, 'find'> & {
  readonly pattern: RegExp;
  readonly isReal?: (text: string) => boolean;
})[] = [
  {
    id: 'card-number',
    group: 'cards',
    hints: [],
    pattern: /(?<![0-9.+-])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])/g,
    isReal: isCard,
  },
  {
    id: 'iban',
    group: 'accounts',
    hints: [],
    pattern: /(?<![0-9A-Z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Z])/g,
    isReal: isIban,
  },
  {
    id: 'us-ssn',
    group: 'accounts',
    hints: ['-'],
    pattern: /(?<![0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])/g,
  },
  {
    id: 'email',
    group: 'emails',
    hints: ['@'],
    pattern: /(?<![0-9A-Za-z._%+-])[0-9A-Za-z._%+-]{1,64}@(?:[0-9A-Za-z-]{1,63}\.){1,8}[A-Za-z]{2,63}(?![0-9A-Za-z-])/g,
  },
  {
    id: 'phone-number',
    group: 'phones',
    hints: ['+'],
    pattern: /(?<![0-9A-Za-z+])\+[1-9](?:[ ().-]{0,2}[0-9]){7,14}(?![0-9])/g,
  },
];

/** The rules that come with the gateway. */
export const rules: readonly RedactionRule[] = [
  ...secrets.map(([id, hints, pattern, isReal]) => ({
    id,
    group: 'secrets' as const,
    hints,
    find: finder(pattern, isReal),
  })),
  ...personal.map(({ pattern, isReal, ...rule }) => ({ ...rule, find: finder(pattern, isReal) })),
];

/** Finds what a group named `secret` matches, or all of the match where there is no such group. */
function finder(pattern: RegExp, isReal: (text: string) => boolean = () => true): RedactionRule['find'] {
  return function* find(text) {
    for (const match of text.matchAll(pattern)) {
      const secret = match.groups?.secret ?? match[0];
      const start = match.index + match[0].lastIndexOf(secret);
      if (isReal(secret)) yield { start, end: start + secret.length };
    }
  };
}

/** Names of members whose values are secrets wherever they stand. */
export const secretMember =
  /^(?:.*[_-])?(?:passw(?:or)?d|passphrase|client[_-]?secret|secret[_-]?(?:access[_-]?)?key|private[_-]?key|api[_-]?key|access[_-]?token|refresh[_-]?token|id[_-]?token)$|^(?:clientSecret|secretAccessKey|privateKey|apiKey|accessToken|refreshToken|idToken)$/i;

/** At least one of these is in every text that has such a member. */
export const secretMemberHints = [
  'assw',
  'assphrase',
  'ecret',
  'rivate',
  'pi_',
  'pi-',
  'piKey',
  'pikey',
  'oken',
  'PASS',
  'SECRET',
  'KEY',
  'TOKEN',
];

function hasDigit(text: string): boolean {
  return /[0-9]/.test(text);
}

/** Whether a text looks drawn at random rather than thought of: letters and digits, and many different ones. */
export function looksDrawn(text: string): boolean {
  return hasDigit(text) && /[A-Za-z]/.test(text) && new Set(text).size >= 6;
}

/** Luhn's check (ISO/IEC 7812-1 annex B), and a length that cards have. */
export function isCard(text: string): boolean {
  const digits = text.replace(/[^0-9]/g, '');
  if (digits.length < 13 || digits.length > 19 || new Set(digits).size < 2) return false;
  let sum = 0;
  for (const [at, digit] of [...digits].toReversed().entries()) {
    const value = Number(digit) * (at % 2 === 1 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 === 0;
}

/** The check digits of an account number (ISO 13616-1, ISO 7064 MOD 97-10). */
export function isIban(text: string): boolean {
  const plain = text.replaceAll(' ', '');
  if (plain.length < 15 || plain.length > 34) return false;
  const turned = plain.slice(4) + plain.slice(0, 4);
  let rest = 0;
  for (const sign of turned) {
    const value = Number.parseInt(sign, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}
