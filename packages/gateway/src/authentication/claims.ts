import type { Actor, AttributeValue } from '@sallyport/core';
import type { ClaimPath } from './settings.ts';

/** The payload of a token whose signature holds. */
export type Claims = Readonly<Record<string, unknown>>;

/** A claim that is there but is not what it has to be. Then nothing is made of the token at all. */
export class ClaimError extends Error {
  override readonly name = 'ClaimError';
}

const longestText = 512;
const mostScopes = 256;
const mostItems = 256;
/** More agents acting for each other than any sensible design has. */
const longestChain = 16;

/** The value of a claim, by name or path; own properties only. */
export function claimAt(claims: Claims, path: ClaimPath): unknown {
  let value: unknown = claims;
  for (const name of typeof path === 'string' ? [path] : path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Claims)[name];
  }
  return value;
}

/** A claim that is a text if it is there. @throws ClaimError */
export function textAt(claims: Claims, path: ClaimPath): string | undefined {
  const value = claimAt(claims, path);
  return value === undefined ? undefined : toText(value, path);
}

/** The first of several claims that is there, as text. @throws ClaimError */
export function firstTextAt(claims: Claims, paths: readonly ClaimPath[]): string | undefined {
  for (const path of paths) {
    const text = textAt(claims, path);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** The scopes: a text with spaces (RFC 6749 §3.3) or a list, from the first claim that is there. @throws ClaimError */
export function scopesAt(claims: Claims, paths: readonly ClaimPath[]): readonly string[] {
  for (const path of paths) {
    const value = claimAt(claims, path);
    if (value === undefined) continue;
    const scopes = typeof value === 'string' ? value.split(' ').filter((scope) => scope !== '') : value;
    if (!Array.isArray(scopes) || scopes.length > mostScopes) throw new ClaimError(`${String(path)}: not scopes`);
    return [...new Set(scopes.map((scope) => toText(scope, path)))];
  }
  return [];
}

/** Who acts for the subject (RFC 8693 §4.1), with names as `toName` writes them. @throws ClaimError */
export function actorIn(claims: Claims, toName: (sub: string, iss: string | undefined) => string): Actor | undefined {
  const chain: string[] = [];
  let act = claimAt(claims, 'act');
  while (act !== undefined) {
    if (typeof act !== 'object' || act === null || Array.isArray(act)) throw new ClaimError('act: not an object');
    if (chain.length >= longestChain) throw new ClaimError('act: too long a chain');
    const subject = firstTextAt(act as Claims, ['sub', 'client_id']);
    if (subject === undefined) throw new ClaimError('act: of nobody');
    chain.push(toName(subject, textAt(act as Claims, 'iss')));
    act = claimAt(act as Claims, 'act');
  }
  return chain.reduceRight<Actor | undefined>(
    (inner, subject) => ({ subject, ...(inner && { actor: inner }) }),
    undefined,
  );
}

/** Attributes as configured: attribute → claim. What is absent is left out. @throws ClaimError for objects, mixed lists, null. */
export function attributesIn(
  claims: Claims,
  names: Readonly<Record<string, ClaimPath>>,
): Readonly<Record<string, AttributeValue>> {
  const found = Object.entries(names).flatMap(([name, path]) => {
    const value = claimAt(claims, path);
    return value === undefined ? [] : [[name, toAttribute(value, path)] as const];
  });
  return Object.fromEntries(found);
}

/**
 * How and when whoever it is about signed in: `acr`, `amr` and `auth_time`, under these names. They are asked for by nobody's
 * configuration, so one that is not what it has to be makes the token no worse: it only proves nothing.
 */
export function signInAttributes({ acr, amr, auth_time }: Claims): Readonly<Record<string, AttributeValue>> {
  const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= longestText;
  const methods = Array.isArray(amr) && amr.length <= mostItems && amr.every(isText) ? amr : undefined;
  return {
    ...(isText(acr) && { acr }),
    ...(methods && { amr: methods }),
    ...(typeof auth_time === 'number' && Number.isFinite(auth_time) && { auth_time }),
  };
}

function toAttribute(value: unknown, path: ClaimPath): AttributeValue {
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value;
  if (typeof value === 'string') return bounded(value, path);
  if (!Array.isArray(value) || value.length > mostItems) throw new ClaimError(`${String(path)}: not a plain value`);
  return value.map((item) => bounded(item, path));
}

/** Names that are shown to people and compared by rules: short, not empty, nothing invisible in them. */
function toText(value: unknown, path: ClaimPath): string {
  const text = bounded(value, path);
  if (text === '' || /[\p{C}\p{Zl}\p{Zp}]/u.test(text)) throw new ClaimError(`${String(path)}: not a name`);
  return text;
}

function bounded(value: unknown, path: ClaimPath): string {
  if (typeof value !== 'string' || value.length > longestText)
    throw new ClaimError(`${String(path)}: not a short text`);
  return value;
}
