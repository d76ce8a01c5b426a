import { z } from 'zod';

/** Units of time in milliseconds, by what people write behind a number. */
export const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const longestMs = 3_650 * 86_400_000;

const expected = {
  duration: 'expected a duration like 500ms, 30s, 5m, 12h or 90d',
  pattern:
    'expected a name like posts.Get or posts.prompts/Digest, without spaces; "*" stands for any run of characters',
  scope: 'expected a scope like posts:write',
} as const;

function checked(name: keyof typeof expected, holds: (value: string) => boolean) {
  const error = expected[name];
  return z.string({ error }).refine(holds, { error }).meta({ title: name });
}

/** `30s` → 30 000. Milliseconds; more than nothing and at most ten years. */
export const duration = z
  .string({ error: expected.duration })
  .regex(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)$/, { error: expected.duration })
  .transform((value, context) => {
    const [, amount, unit] = /^([\d.]+)([a-z]+)$/.exec(value) ?? [];
    const ms = Math.round(Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN));
    if (ms >= 1 && ms <= longestMs) return ms;
    context.addIssue({ code: 'custom', message: 'expected a duration between 1ms and 3650d' });
    return z.NEVER;
  })
  .meta({ title: 'duration' });

/**
 * The name of a tool, prompt, resource or template as the gateway knows it (`posts.Get`, `posts.prompts/Digest`,
 * `posts.resources/post://7`), with `*` for any run of characters. Digits alone name nothing (and would lose their place in
 * the order).
 */
export const namePattern = checked('pattern', (value) => /^(?!\d+$)[^\s\p{C}]{1,2000}$/u.test(value));

/** An OAuth scope token (RFC 6749 §3.3). */
export const scope = checked('scope', (value) => /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(value));
