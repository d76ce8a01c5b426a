import { createHash } from 'node:crypto';
import {
  isDeeperThan,
  type JsonObject,
  type JsonValue,
  type ServiceManifest,
  schemaFault,
  serviceNamePattern,
} from '@sallyport/protocol';
import { z } from 'zod';
import { semverPattern } from './semver.ts';

/** A service that offers more than this offers nothing. */
export const maxTools = 2_000;

const maxExamples = 20;
const maxScopes = 50;
const maxExampleLength = 16 * 1024;
const maxExampleDepth = 64;

const oneLine = z.string().min(1).max(200);
/** An OAuth scope token (RFC 6749 §3.3), without the star: a tool names what it needs, and not a pattern. */
const scope = z
  .string()
  .regex(/^[!#-)+-[\]-~]{1,100}$/, 'a scope is at most 100 printable characters, no space " * or \\');

const schema = z.record(z.string(), z.unknown()).superRefine((value, context) => {
  const fault = schemaFault(value);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const inputSchema = schema.refine((value) => value.type === 'object', 'the type of an input must be "object"');

const example = z
  .record(z.string(), z.unknown())
  // Before it is printed to be measured, and hashed: neither survives any depth.
  .refine((value) => !isDeeperThan(maxExampleDepth, value), {
    error: `nested deeper than ${maxExampleDepth}`,
    abort: true,
  })
  .refine((value) => JSON.stringify(value).length <= maxExampleLength, `longer than ${maxExampleLength} characters`);

const tool = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'a tool name is at most 64 letters, digits, _ . -'),
  title: oneLine.optional(),
  description: z.string().max(16 * 1024),
  inputSchema,
  outputSchema: schema.optional(),
  examples: z.array(example).max(maxExamples).optional(),
  scopes: z.array(scope).max(maxScopes).optional(),
  sideEffect: z.enum(['read', 'write', 'destructive']).optional(),
  expensive: z.boolean().optional(),
  internal: z.boolean().optional(),
  idempotent: z.boolean().optional(),
  classification: z.enum(['public', 'internal', 'confidential', 'restricted']).optional(),
  risk: z.enum(['low', 'medium', 'high']).optional(),
  owner: oneLine.optional(),
  stability: z.enum(['experimental', 'stable', 'deprecated']).optional(),
  auditRequired: z.boolean().optional(),
  timeoutMs: z.int().min(1).max(3_600_000).optional(),
});

const manifest = z.strictObject({
  service: z
    .string()
    .regex(
      serviceNamePattern,
      "a service name is a small letter, then small letters, digits and -; admin and sallyport are the gateway's own",
    ),
  version: z.string().max(100).regex(semverPattern, 'not a semantic version'),
  owner: oneLine.optional(),
  tools: z
    .array(tool)
    .max(maxTools, `more than ${maxTools} tools`)
    .superRefine((tools, context) => {
      for (const name of twins(tools.map((each) => each.name))) {
        context.addIssue({ code: 'custom', message: `two tools are called ${name}, or differ only in . and _` });
      }
    }),
});

/** Either the manifest, or what is wrong with it in one line that may be told to the service. */
export type CheckedManifest =
  | { readonly ok: true; readonly manifest: ServiceManifest }
  | { readonly ok: false; readonly message: string };

/** Checks a manifest that came from outside, strictly: an unknown member is a mistake too. */
export function checkManifest(value: unknown): CheckedManifest {
  const parsed = manifest.safeParse(value);
  // Zod's output has the shape of the type; what it cannot know is that a record from JSON holds JSON.
  if (parsed.success) return { ok: true, manifest: parsed.data as ServiceManifest };
  const told = parsed.error.issues.slice(0, 5).map((issue) => `${place(issue.path)}: ${issue.message}`);
  const more = parsed.error.issues.length - told.length;
  return { ok: false, message: `the manifest is not valid: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}` };
}

/** A tool that was left out, and why. */
export interface Dropped {
  readonly tool: string;
  readonly message: string;
}

/**
 * Takes of a foreign service's manifest what fits, and leaves out the tools that do not: one odd tool must not hide the
 * others. `manifest` is absent when nothing is left that could be offered.
 */
export function fitManifest(offered: ServiceManifest): {
  readonly manifest?: ServiceManifest;
  readonly dropped: readonly Dropped[];
} {
  const dropped: Dropped[] = [];
  const doubled = new Set(twins(offered.tools.map(({ name }) => name)));
  const tools = offered.tools.filter((candidate) => {
    const checked = tool.safeParse(candidate);
    if (checked.success && !doubled.has(candidate.name)) return true;
    const message = checked.success ? 'another tool has this name' : (checked.error.issues[0]?.message ?? 'not valid');
    dropped.push({ tool: candidate.name.slice(0, 200), message });
    return false;
  });
  const whole = checkManifest({ ...offered, tools });
  if (!whole.ok) return { dropped: [...dropped, { tool: '*', message: whole.message }] };
  return { manifest: whole.manifest, dropped };
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

/** Names that are used twice; a client that allows no dot in names could not tell the others apart either. */
function twins(names: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return names.filter((name) => {
    const alias = name.replaceAll('.', '_');
    const again = seen.has(alias);
    seen.add(alias);
    return again;
  });
}

function place(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'manifest';
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`)).join('');
}
