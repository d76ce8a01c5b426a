import { type Catalog, nameOf, type Registration, type Resource, type Target, type Template } from '@sallyport/core';
import type { ServiceManifest } from '@sallyport/protocol';
import { isWinding, otherSpellings } from './spelling.ts';
import { type Rules, unlistedResource } from './targets.ts';

interface Sources extends Rules {
  readonly registrations: readonly Registration[];
  readonly byName: ReadonlyMap<string, Target>;
  readonly templates: readonly Template[];
}

/** Remembered URIs that are not listed, over all services. */
const maxRemembered = 2_000;
const maxUriLength = 8_192;

/**
 * Finds resources by URI: listed ones, else of the template that fits best, else, at servers that were not written for this
 * gateway, any: what tools of theirs link to need not be listed (MCP 2026-07-28, tools, resource links).
 */
export function createResourceFinder(sources: Sources): Catalog['resourceAt'] {
  const manifests = new Map(sources.registrations.map(({ manifest }) => [manifest.service, manifest]));
  const families = new Map([...manifests.keys()].map((service) => [service, familiesOf(service, sources.templates)]));
  const remembered = new Map<string, Resource>();
  const unlisted = (manifest: ServiceManifest, uri: string): Resource | undefined => {
    const template = families.get(manifest.service)?.find(({ matches }) => matches(uri))?.template;
    if (template === undefined && !knowsMore(manifest)) return undefined;
    return unlistedResource(manifest, sources, { uri, template });
  };
  /** What is guarded under one spelling must not be had under another. */
  const isEvasive = (manifest: ServiceManifest, resource: Resource): boolean =>
    otherSpellings(resource.remoteName).some((uri) => {
      const listed = sources.byName.get(nameOf('resource', { service: manifest.service, remoteName: uri }));
      const same = listed ?? unlisted(manifest, uri);
      return same !== undefined && !isGuardedLike(resource, same);
    });
  return (service, uri) => {
    const name = nameOf('resource', { service, remoteName: uri });
    const listed = sources.byName.get(name) ?? remembered.get(name);
    if (listed !== undefined) return listed.capability === 'resource' ? listed : undefined;
    const manifest = manifests.get(service);
    if (manifest === undefined || uri.length > maxUriLength || isWinding(uri)) return undefined;
    const found = unlisted(manifest, uri);
    if (found === undefined || isEvasive(manifest, found)) return undefined;
    remembered.set(name, found);
    const oldest = remembered.keys().next().value;
    if (remembered.size > maxRemembered && oldest !== undefined) remembered.delete(oldest);
    return found;
  };
}

/** Whether whoever may have the one may have the other too. */
function isGuardedLike(one: Resource, other: Target): boolean {
  if ((other.internal && !one.internal) || (other.auditRequired && !one.auditRequired)) return false;
  if (other.scopes.length === 0) return true;
  return one.scopes.length > 0 && one.scopes.every((scope) => other.scopes.includes(scope));
}

function knowsMore({ mcp }: ServiceManifest): boolean {
  return mcp?.capabilities.resources !== undefined;
}

interface Family {
  readonly template: Template;
  readonly matches: (uri: string) => boolean;
}

/** Those that say most of themselves first: what guards `a://secret/{id}` must not be evaded by way of `a://{path}`. */
function familiesOf(service: string, templates: readonly Template[]): readonly Family[] {
  return templates
    .filter((template) => template.service === service)
    .map((template) => ({ template, pieces: template.remoteName.split(/\{[^{}]*\}/) }))
    .sort((a, b) => b.pieces.join('').length - a.pieces.join('').length)
    .map(({ template, pieces }) => ({ template, matches: (uri) => fits(pieces, uri) }));
}

/**
 * Whether a URI may come from the literal pieces of a template. Every expression stands for anything: a template may match
 * more here than at its service, which only makes its rules hold for more. Linear in the URI.
 */
function fits(pieces: readonly string[], uri: string): boolean {
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return uri === first;
  if (uri.length < first.length + last.length || !uri.startsWith(first) || !uri.endsWith(last)) return false;
  const end = uri.length - last.length;
  let from = first.length;
  for (const piece of rest) {
    const at = uri.indexOf(piece, from);
    if (at === -1 || at + piece.length > end) return false;
    from = at + piece.length;
  }
  return true;
}
