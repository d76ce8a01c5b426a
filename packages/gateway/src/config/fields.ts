import { BlockList, isIP } from 'node:net';
import type { RateLimit } from '@sallyport/core';
import { serviceNamePattern } from '@sallyport/protocol';
import { z } from 'zod';
import { unitMs } from '../text/fields.ts';

export { duration, namePattern, scope } from '../text/fields.ts';

const unitBytes: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** What the readers of the configuration accept and say, one word per type; also the type column of the reference. */
const expected = {
  size: 'expected a size: a number of bytes, or text like 64KiB or 4MiB',
  rate: 'expected a rate: text like 50/s or 600/m, or { rate: 50, burst: 100 }',
  port: 'expected a port, a whole number from 0 to 65535 (0: any free one)',
  path: 'expected a path',
  cidr: 'expected an address range like 10.0.0.0/8 or fd00::/8 (not everybody: /0 is refused)',
  method: 'expected a method of the service like acme/reindex; those of MCP itself need no permission',
  origin: 'expected an origin like https://app.example.com, without a path',
  host: 'expected a host name or address, with or without :port',
  address: 'expected unix:/path, tls:host:port, mtls:host:port, or an http(s) URL without a password in it',
  hostPort: 'expected host:port, like 0.0.0.0:4222 or [::]:4222',
  viewName: 'expected the name of a view: lower-case letters, digits and "-", starting with a letter, at most 63 long',
  serviceName:
    'expected a service name: lower-case letters, digits and "-", starting with a letter, at most 63 long, and not one of the gateway\'s own (admin, sallyport, call, catalog, server-card, tools, views, ws)',
  spiffeId: 'expected a SPIFFE id like spiffe://acme.example/posts',
  certificateName: 'expected a SPIFFE id like spiffe://acme.example/posts, or a subject like CN=posts,O=Acme',
  url: 'expected an https URL (http only for this machine), without path parameters, query or password',
} as const;

/** First parts of the methods that MCP has, or had: what becomes of those is not for a configuration to say. */
const methodsOfMcp: ReadonlySet<string> = new Set([
  ...['completion', 'elicitation', 'logging', 'notifications', 'prompts', 'resources', 'roots', 'sampling', 'server'],
  ...['subscriptions', 'tasks', 'tools'],
]);

type FieldName = keyof typeof expected;

function text(name: FieldName, pattern: RegExp) {
  const error = expected[name];
  return z.string({ error }).regex(pattern, { error });
}

function checked(name: FieldName, holds: (value: string) => boolean) {
  const error = expected[name];
  return z.string({ error }).refine(holds, { error }).meta({ title: name });
}

/** `4MiB` → 4 194 304. Bytes, from 1 to 1 GiB. */
export const size = z
  .union([z.number(), text('size', /^\d{1,10}(B|KiB|MiB|GiB)$/)], { error: expected.size })
  .transform((value, context) => {
    const [, amount, unit] = /^(\d+)(\w+)$/.exec(String(value)) ?? [];
    const bytes = typeof value === 'number' ? value : Number(amount) * (unitBytes[unit ?? ''] ?? Number.NaN);
    if (Number.isInteger(bytes) && bytes >= 1 && bytes <= 1024 ** 3) return bytes;
    context.addIssue({ code: 'custom', message: 'expected a size between 1 byte and 1GiB, in whole bytes' });
    return z.NEVER;
  })
  .meta({ title: 'size' });

const perSecond = z
  .number({ error: 'expected calls per second, a number above 0' })
  .gt(0, { error: 'expected calls per second, a number above 0' })
  .max(1_000_000, { error: 'expected at most 1000000 calls per second' });
const burst = z
  .int({ error: 'expected a burst, a whole number from 1' })
  .min(1, { error: 'expected a burst, a whole number from 1' })
  .max(10_000_000, { error: 'expected a burst of at most 10000000' });

/** `rate` and `burst` of a limit, for objects that have other keys too. */
export const rateFields = {
  rate: perSecond.describe('Calls per second, on average.'),
  burst: burst.optional().describe('Calls at once. Default: one second of `rate`, at least 1.'),
};

/** Fills in the burst. */
export function toRateLimit(given: { readonly rate: number; readonly burst?: number | undefined }): RateLimit {
  return { rate: given.rate, burst: given.burst ?? Math.max(1, Math.ceil(given.rate)) };
}

/** `600/m` → 10 a second, 600 at once: that many in any such unit when it starts full, refilled evenly. */
export const rate = z
  .union([text('rate', /^\d{1,7}\/(s|m|h|d)$/), z.strictObject(rateFields)], { error: expected.rate })
  .transform((value, context): RateLimit => {
    if (typeof value !== 'string') return toRateLimit(value);
    const [amount, unit] = value.split('/');
    const calls = Number(amount);
    if (calls >= 1) return { rate: (calls * 1000) / (unitMs[unit ?? ''] ?? Number.NaN), burst: calls };
    context.addIssue({ code: 'custom', message: 'expected at least one call per unit' });
    return z.NEVER;
  })
  .meta({ title: 'rate' });

/** A TCP port; 0 lets the system choose. */
export const port = z
  .int({ error: expected.port })
  .min(0, { error: expected.port })
  .max(65_535, { error: expected.port })
  .meta({ title: 'port' });

/** A path, relative to the file unless absolute. */
export const path = checked('path', (value) => value !== '' && !value.includes('\0'));

/** An address range whose members are believed. One without a prefix length is a single address. */
export const cidr = checked('cidr', isCidr);

/** A method that a vendor added to MCP. */
export const vendorMethod = checked('method', (value) => {
  const [prefix = ''] = value.split('/', 1);
  return /^[A-Za-z][\w.-]{0,99}(\/[\w.-]{1,99}){1,4}$/.test(value) && !methodsOfMcp.has(prefix);
});

/** A web origin, exactly as browsers send it. */
export const origin = checked('origin', (value) => {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === value;
});

/** What a `Host` header may say. */
export const host = checked(
  'host',
  (value) => isIP(value) !== 0 || /^(\[[\da-fA-F:.]+\]|[\w.-]{1,253})(:\d{1,5})?$/.test(value),
);

/** What a socket may be bound to. */
export const bindHost = checked('host', (value) => isIP(value) !== 0 || /^[\w.-]{1,253}$/.test(value));

/** Where a service listens. */
export const address = checked('address', (value) => {
  if (value.startsWith('unix:')) return value.length > 5 && !value.includes('\0');
  if (/^m?tls:/.test(value)) return isHostPort(value.slice(value.indexOf(':') + 1));
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
});

/** Where to listen, as one text. */
export const hostPort = checked('hostPort', isHostPort);

const spiffe = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;

/** A SPIFFE id, whole. */
export const spiffeId = checked('spiffeId', (value) => spiffe.test(value));

/** What a certificate is known by: all of its SPIFFE id, or all of its subject (RFC 2253). There are no patterns. */
export const certificateName = checked(
  'certificateName',
  (value) => spiffe.test(value) || (/^[A-Za-z0-9.]+=[^*]+$/.test(value) && !value.includes('://')),
);

/** The name of a service; the first part of the names of its tools. */
export const serviceName = checked('serviceName', (value) => serviceNamePattern.test(value));

/** The name of a view; the last part of its address. */
export const viewName = checked('viewName', (value) => /^[a-z][a-z0-9-]{0,62}$/.test(value));

/** The address under which the world knows this gateway. */
export const publicUrl = checked('url', (value) => {
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
});

/** An environment value: text, or a number or truth value as YAML reads them. */
export const environmentValue = z
  .union([z.string(), z.number(), z.boolean()], { error: 'expected text, a number, true or false' })
  .transform(String)
  .meta({ title: 'text' });

/** Whether a host is this machine and cannot be reached from another. */
export function isLoopbackHost(name: string): boolean {
  const bare = name.replace(/^\[|\]$/g, '');
  if (bare === 'localhost') return true;
  if (isIP(bare) === 4) return bare.startsWith('127.');
  return isIP(bare) === 6 && loopback6.check(bare, 'ipv6');
}

const loopback6 = new BlockList();
loopback6.addAddress('::1', 'ipv6');
loopback6.addSubnet('::ffff:127.0.0.0', 104, 'ipv6');

function isHostPort(value: string): boolean {
  const [, name = '', digits] = /^(\[[\da-fA-F:.]+\]|[\w.-]{1,253}):(\d{1,5})$/.exec(value) ?? [];
  return name !== '' && Number(digits) <= 65_535 && (!name.startsWith('[') || isIP(name.slice(1, -1)) === 6);
}

function isCidr(value: string): boolean {
  const [base = '', length, ...more] = value.split('/');
  const family = isIP(base);
  if (family === 0 || more.length > 0 || base.includes('%')) return false;
  if (length === undefined) return true;
  return /^\d{1,3}$/.test(length) && Number(length) >= 1 && Number(length) <= (family === 4 ? 32 : 128);
}
