import type { JsonText, Target, Tool } from '@sallyport/core';
import { type JsonObject, mountNaming, type Naming, prefixNaming, rewriteEntry } from '@sallyport/protocol';

/**
 * How things are called in a list: with their service (`full`), as their service calls them (`own`), or so that every model
 * may call them (`safe`).
 */
export type NameStyle = 'full' | 'own' | 'safe';

const texts: Readonly<Record<NameStyle, WeakMap<Target, JsonText>>> = {
  full: new WeakMap(),
  own: new WeakMap(),
  safe: new WeakMap(),
};

/**
 * The entry of a target in MCP's lists: what its service declared, unchanged, and what else a client may want to know under
 * `_meta`. Made once per target and style.
 */
export function entryText(target: Target, style: NameStyle): JsonText {
  const known = texts[style].get(target);
  if (known !== undefined) return known;
  const text = (target.entryText === undefined ? ownEntry(target, style) : foreignEntry(target, style)) as JsonText;
  texts[style].set(target, text);
  return text;
}

/** What a foreign server wrote, under the name it has here. Where it is mounted alone, not a byte of it changes. */
function foreignEntry(target: Target, style: NameStyle): string {
  const written = target.entryText ?? '{}';
  if (style === 'own') return written;
  return rewriteEntry(written, {
    ...identity(target, style),
    meta: texted(facts(target)),
    naming: prefixNaming(target.service),
  });
}

function ownEntry(target: Target, style: NameStyle): string {
  return JSON.stringify({ ...identity(target, style), ...description(target), _meta: facts(target) });
}

/** The member that names it, and only that. */
function identity(target: Target, style: NameStyle): Readonly<Record<string, string>> {
  const naming: Naming = style === 'own' ? mountNaming(target.service) : prefixNaming(target.service);
  switch (target.capability) {
    case 'tool':
    case 'prompt':
      return { name: style === 'safe' ? target.alias : naming.nameOut(target.remoteName) };
    case 'resource':
      return { uri: naming.uriOut(target.remoteName) };
    case 'template':
      return { uriTemplate: naming.uriOut(target.remoteName) };
    case 'method':
      return { name: target.remoteName };
    default:
      return target satisfies never;
  }
}

function description(target: Target): JsonObject {
  const { title, description: text } = target;
  const common = { ...(title !== undefined && { title }), ...(text !== '' && { description: text }) };
  if (target.capability === 'tool') return { ...common, ...toolDescription(target) };
  if (target.capability === 'prompt') return { ...common, arguments: target.arguments };
  if (target.capability === 'method') return common;
  const { label, mimeType } = target;
  return { name: label, ...common, ...(mimeType !== undefined && { mimeType }) };
}

function toolDescription({ inputSchema, outputSchema, sideEffect, idempotent }: Tool): JsonObject {
  return {
    inputSchema,
    ...(outputSchema && { outputSchema }),
    annotations: {
      readOnlyHint: sideEffect === 'read',
      destructiveHint: sideEffect === 'destructive',
      idempotentHint: idempotent,
    },
  };
}

function facts(target: Target): JsonObject {
  const { version, owner, stability, classification, scopes } = target;
  return {
    ...('alias' in target && { 'dev.sallyport/alias': target.alias }),
    'dev.sallyport/version': version,
    'dev.sallyport/owner': owner,
    'dev.sallyport/stability': stability,
    'dev.sallyport/classification': classification,
    'dev.sallyport/scopes': scopes,
    ...(target.capability === 'tool' && target.examples.length > 0 && { 'dev.sallyport/examples': target.examples }),
  };
}

function texted(members: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(members).map(([key, value]) => [key, JSON.stringify(value)]));
}
