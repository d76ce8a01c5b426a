import { looksDrawn, type Place, rules, secretMember } from './rules.ts';

/** A secret in a text that people wrote. */
export interface FoundSecret extends Place {
  /** The rule that found it. */
  readonly rule: string;
}

/** `key: value` and `key = value` of configuration files, quoted or not. */
const member =
  /(?<![A-Za-z0-9_-])["']?(?<name>[A-Za-z][A-Za-z0-9_-]{0,80})["']?[ \t]*[:=][ \t]*["']?(?<value>[^\s"',#{}[\]]{8,200})/g;

/**
 * Finds secrets in a configuration file, a policy or another text that ought to hold none: by the rules of the output filter, and
 * by the names of keys. First to last, without overlap.
 */
export function findSecrets(text: string): readonly FoundSecret[] {
  const found: FoundSecret[] = rules
    .filter(({ group }) => group === 'secrets')
    .flatMap((rule) => [...rule.find(text)].map((place) => ({ ...place, rule: rule.id })));
  for (const match of text.matchAll(member)) {
    const { name = '', value = '' } = match.groups ?? {};
    if (!secretMember.test(name) || !looksDrawn(value)) continue;
    const start = match.index + match[0].lastIndexOf(value);
    found.push({ rule: 'secret-member', start, end: start + value.length });
  }
  const sorted = found.toSorted((one, other) => one.start - other.start || other.end - one.end);
  let end = 0;
  return sorted.filter((one) => {
    if (one.start < end || one.start === one.end) return false;
    end = one.end;
    return true;
  });
}
