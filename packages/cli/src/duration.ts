import { CliError } from './exit.ts';

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `30s`, `15m`, `12h` or `90d`. Milliseconds. @throws CliError `usage` for anything else. */
export function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new CliError('usage', `"${text}" is not a duration.`, { hint: 'Such as 30s, 15m, 12h or 90d.' });
}

/** Reads a point in time: ISO 8601, or a duration before now. Milliseconds since the epoch. */
export function parseTime(text: string, nowMs: number): number {
  if (/^\d+[smhd]$/.test(text)) return nowMs - parseDuration(text);
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new CliError('usage', `"${text}" is not a time.`, {
    hint: 'Such as 2026-11-20T08:00:00Z, or 15m for a quarter of an hour ago.',
  });
}

/** `90061000` → `1d 1h`: the two largest units, for people. */
export function durationText(ms: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, ms);
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = unitMs[unit] ?? 1;
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.slice(0, 2).join(' ') || '0s';
}
