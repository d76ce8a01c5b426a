import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue, ServiceManifest } from '@sallyport/protocol';
import type { z } from 'zod';
import { foreignEntries, foreignManifest, type Kind, kinds, nameOf, strictManifest, twins } from './manifest-schema.ts';

export { maxTools } from './manifest-schema.ts';

/** Either the manifest, or what is wrong with it in one line that may be told to the service. */
export type CheckedManifest =
  | { readonly ok: true; readonly manifest: ServiceManifest }
  | { readonly ok: false; readonly message: string };

/** Checks a manifest that came from outside, strictly: an unknown member is a mistake too. */
export function checkManifest(value: unknown): CheckedManifest {
  return check(strictManifest, value);
}

function check(schema: typeof strictManifest | typeof foreignManifest, value: unknown): CheckedManifest {
  const parsed: z.ZodSafeParseResult<unknown> = schema.safeParse(value);
  // Zod's output has the shape of the type; what it cannot know is that a record from JSON holds JSON.
  if (parsed.success) return { ok: true, manifest: parsed.data as ServiceManifest };
  const told = parsed.error.issues.slice(0, 5).map((issue) => `${place(issue.path)}: ${issue.message}`);
  const more = parsed.error.issues.length - told.length;
  return { ok: false, message: `the manifest is not valid: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}` };
}

/** A tool, or something else, that was left out, and why. */
export interface Dropped {
  readonly tool: string;
  readonly message: string;
}

/**
 * Takes of a foreign service's manifest what fits, and leaves out what does not: one odd tool must not hide the others.
 * `manifest` is absent when nothing is left that could be offered.
 */
export function fitManifest(offered: ServiceManifest): {
  readonly manifest?: ServiceManifest;
  readonly dropped: readonly Dropped[];
} {
  const dropped: Dropped[] = [];
  const fitted = Object.fromEntries(
    kinds.flatMap((kind) => {
      const entries: readonly object[] | undefined = offered[kind];
      return entries === undefined ? [] : [[kind, fitEntries(kind, entries, dropped)]];
    }),
  );
  const whole = check(foreignManifest, { ...offered, ...fitted });
  if (!whole.ok) return { dropped: [...dropped, { tool: '*', message: whole.message }] };
  return { manifest: whole.manifest, dropped };
}

function fitEntries(kind: Kind, entries: readonly object[], dropped: Dropped[]): readonly object[] {
  const doubled = new Set(twins(kind, entries));
  const fitting = entries.filter((candidate) => {
    const checked: z.ZodSafeParseResult<unknown> = foreignEntries[kind].schema.safeParse(candidate);
    if (checked.success && !doubled.has(candidate)) return true;
    const message = checked.success ? 'another one has this name' : (checked.error.issues[0]?.message ?? 'not valid');
    dropped.push({ tool: nameOf(kind, candidate).slice(0, 200), message });
    return false;
  });
  const { max } = foreignEntries[kind];
  if (fitting.length > max) dropped.push({ tool: '*', message: `${fitting.length - max} ${kind} more than ${max}` });
  return fitting.slice(0, max);
}

/** A fingerprint of all that a manifest says: SHA-256, hex. Equal for equal manifests, in whatever order they are written. */
export function manifestHash(value: ServiceManifest): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value as unknown as JsonObject)))
    .digest('hex');
}

function sorted(value: JsonValue): JsonValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value as JsonObject).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, sorted(member)]));
}

function place(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'manifest';
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('');
}
