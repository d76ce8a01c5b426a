import { createHash } from 'node:crypto';
import type { Catalog, Registration, ServiceStatus, Tool } from '@sallyport/core';
import { aliasOf, type JsonValue, type ServiceManifest, type ToolManifest } from '@sallyport/protocol';

/** What configuration says of a tool; it replaces what the service declared, key by key. */
export interface ToolOverride {
  readonly scopes?: readonly string[];
  readonly internal?: boolean;
  readonly auditRequired?: boolean;
  readonly timeoutMs?: number;
}

/** A tool that could not be offered, and why; for the operator. */
export interface Problem {
  readonly tool: string;
  readonly message: string;
}

const defaultTimeoutMs = 30_000;

interface Sources {
  readonly registrations: readonly Registration[];
  readonly overrideFor: (toolName: string) => ToolOverride;
  readonly stale: boolean;
}

/**
 * Builds the catalog from what is registered. Sorted by name, so that equal catalogs list equally. Of two tools that
 * would answer to one name or alias, the one whose service registered first is offered and the other is a problem.
 */
export function buildCatalog(sources: Sources): { readonly catalog: Catalog; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const byName = new Map<string, Tool>();
  const offered: Tool[] = [];
  for (const { manifest } of sources.registrations) {
    for (const declared of manifest.tools) {
      const tool = toTool(manifest, declared, sources.overrideFor);
      const taken = byName.get(tool.name) ?? byName.get(tool.alias);
      if (taken !== undefined) {
        problems.push({ tool: tool.name, message: `its name or alias is taken by ${taken.name}` });
        continue;
      }
      byName.set(tool.name, tool);
      byName.set(tool.alias, tool);
      offered.push(tool);
    }
  }
  const tools = offered.sort((a, b) => (a.name < b.name ? -1 : 1));
  const catalog: Catalog = {
    revision: sha256(tools.map(identity).join('\n')),
    tools,
    byName,
    services: sources.registrations.map(toStatus),
    stale: sources.stale,
  };
  return { catalog, problems };
}

function toTool(manifest: ServiceManifest, declared: ToolManifest, overrideFor: Sources['overrideFor']): Tool {
  const name = `${manifest.service}.${declared.name}`;
  const override = overrideFor(name);
  return {
    name,
    alias: aliasOf(name),
    service: manifest.service,
    version: manifest.version,
    remoteName: declared.name,
    ...(declared.title !== undefined && { title: declared.title }),
    description: declared.description,
    inputSchema: declared.inputSchema,
    ...(declared.outputSchema && { outputSchema: declared.outputSchema }),
    examples: declared.examples ?? [],
    scopes: override.scopes ?? declared.scopes ?? [],
    sideEffect: declared.sideEffect ?? 'write',
    expensive: declared.expensive ?? false,
    // Configuration may hide a tool or demand evidence; it can also lift both, which is the operator's right.
    internal: override.internal ?? declared.internal ?? false,
    auditRequired: override.auditRequired ?? declared.auditRequired ?? false,
    idempotent: declared.idempotent ?? declared.sideEffect === 'read',
    classification: declared.classification ?? 'internal',
    risk: declared.risk ?? (declared.sideEffect === 'destructive' ? 'high' : 'low'),
    owner: declared.owner ?? manifest.owner ?? 'unknown',
    stability: declared.stability ?? 'stable',
    timeoutMs: override.timeoutMs ?? declared.timeoutMs ?? defaultTimeoutMs,
    definitionHash: sha256(canonical(declared as unknown as JsonValue)),
  };
}

function toStatus({ manifest, instances, keptOut = 0, state }: Registration): ServiceStatus {
  return {
    name: manifest.service,
    version: manifest.version,
    owner: manifest.owner ?? 'unknown',
    instances,
    keptOut,
    state,
  };
}

/** Everything about a tool that a caller or a policy can notice. */
function identity(tool: Tool): string {
  const { name, version, definitionHash, scopes, internal, auditRequired, timeoutMs } = tool;
  return JSON.stringify([name, version, definitionHash, scopes, internal, auditRequired, timeoutMs]);
}

/** The same text for the same definition, whatever the order its keys came in. */
function canonical(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
