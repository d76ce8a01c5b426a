import { createHash } from 'node:crypto';
import {
  type JsonText,
  nameOf,
  type Prompt,
  type Resource,
  type Target,
  type Template,
  type Tool,
  type VendorMethod,
} from '@sallyport/core';
import {
  aliasOf,
  type Classification,
  type Declared,
  type JsonValue,
  type ServiceManifest,
  type SideEffect,
} from '@sallyport/protocol';

/** What configuration says of a tool; it replaces what the service declared, key by key. */
export interface ToolOverride {
  readonly scopes?: readonly string[];
  readonly internal?: boolean;
  readonly auditRequired?: boolean;
  readonly timeoutMs?: number;
  readonly owner?: string;
  /** It does at least this, and is at least so confidential: nothing is made harmless by being called so. */
  readonly sideEffectAtLeast?: SideEffect;
  readonly classificationAtLeast?: Classification;
  /** Rules or groups of the output filter that do not apply to its answers. */
  readonly mayReturn?: readonly string[];
  /** The gateway makes its calls tasks, for callers that know them. Tools only. */
  readonly task?: boolean;
}

/** What configuration says of everything on offer. */
export interface Rules {
  readonly overrideFor: (name: string) => ToolOverride;
  /** Methods of a server's own that it lets through. Default: none. */
  readonly methodsOf?: ((service: string) => readonly string[]) | undefined;
}

const defaultTimeoutMs = 30_000;

/** The tools of a service, with the rules applied. Undeclared means the careful reading: it writes. */
export function toolsOf(manifest: ServiceManifest, rules: Rules): readonly Tool[] {
  return manifest.tools.map((declared, position) => {
    const name = `${manifest.service}.${declared.name}`;
    const sideEffect = stricter(sideEffects, declared.sideEffect ?? 'write', rules.overrideFor(name).sideEffectAtLeast);
    const { inputSchema, outputSchema, examples = [], task } = declared;
    return {
      capability: 'tool',
      ...common({ manifest, declared, rules, name }),
      position,
      remoteName: declared.name,
      alias: aliasOf(name),
      inputSchema,
      ...(outputSchema && { outputSchema }),
      examples,
      sideEffect,
      expensive: declared.expensive ?? false,
      idempotent: declared.idempotent ?? sideEffect === 'read',
      risk: declared.risk ?? (sideEffect === 'destructive' ? 'high' : 'low'),
      ...(task !== undefined && { task }),
      // A service that keeps tasks itself knows better when to.
      ...(task === undefined && rules.overrideFor(name).task === true && { keptAsTask: true }),
    };
  });
}

/** The prompts of a service. */
export function promptsOf(manifest: ServiceManifest, rules: Rules): readonly Prompt[] {
  const { service } = manifest;
  return (manifest.prompts ?? []).map((declared, position) => ({
    capability: 'prompt',
    ...common({ manifest, declared, rules, name: nameOf('prompt', { service, remoteName: declared.name }) }),
    ...reading,
    position,
    remoteName: declared.name,
    alias: aliasOf(`${service}.${declared.name}`),
    arguments: declared.arguments ?? [],
  }));
}

/** The resources that a service lists. */
export function resourcesOf(manifest: ServiceManifest, rules: Rules): readonly Resource[] {
  const { service } = manifest;
  return (manifest.resources ?? []).map((declared, position) => ({
    capability: 'resource',
    ...common({ manifest, declared, rules, name: nameOf('resource', { service, remoteName: declared.uri }) }),
    ...reading,
    position,
    remoteName: declared.uri,
    listed: true,
    label: declared.name,
    ...(declared.mimeType !== undefined && { mimeType: declared.mimeType }),
  }));
}

/** The families of resources of a service. */
export function templatesOf(manifest: ServiceManifest, rules: Rules): readonly Template[] {
  const { service } = manifest;
  return (manifest.templates ?? []).map((declared, position) => ({
    capability: 'template',
    ...common({ manifest, declared, rules, name: nameOf('template', { service, remoteName: declared.uriTemplate }) }),
    ...reading,
    position,
    remoteName: declared.uriTemplate,
    label: declared.name,
    ...(declared.mimeType !== undefined && { mimeType: declared.mimeType }),
  }));
}

/** The methods of a server's own that configuration lets through. What they do is not known: they write. */
export function methodsOf(manifest: ServiceManifest, rules: Rules): readonly VendorMethod[] {
  const { service } = manifest;
  return (rules.methodsOf?.(service) ?? []).map((remoteName, position) => ({
    capability: 'method',
    ...common({ manifest, declared: { description: '' }, rules, name: nameOf('method', { service, remoteName }) }),
    ...{ position, remoteName, sideEffect: 'write', expensive: false, idempotent: false, risk: 'low' },
  }));
}

/** What a service may know beyond what it lists: of a template of its own, or of nobody's. */
export function unlistedResource(
  manifest: ServiceManifest,
  rules: Rules,
  { uri, template }: { readonly uri: string; readonly template: Template | undefined },
): Resource {
  const name = nameOf('resource', { service: manifest.service, remoteName: uri });
  const declared = { description: '' };
  if (template === undefined) {
    return {
      capability: 'resource',
      ...common({ manifest, declared, rules, name }),
      ...{ ...reading, position: 0, remoteName: uri, listed: false, label: uri },
    };
  }
  const { capability, entryText, ...inherited } = template;
  const override = rules.overrideFor(name);
  const { scopes, internal, auditRequired, timeoutMs, mayReturn } = override;
  return {
    ...inherited,
    ...(scopes && { scopes }),
    ...ruledHere(override),
    ...(internal !== undefined && { internal }),
    ...(auditRequired !== undefined && { auditRequired }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(mayReturn !== undefined && { mayReturn }),
    ...{ capability: 'resource', name, remoteName: uri, listed: false, template: template.name },
  };
}

const reading = { sideEffect: 'read', expensive: false, idempotent: true, risk: 'low' } as const;

interface Governed {
  readonly manifest: ServiceManifest;
  readonly declared: Declared;
  readonly rules: Rules;
  readonly name: string;
}

function common({ manifest, declared, rules, name }: Governed) {
  const override = rules.overrideFor(name);
  const { title, entryText } = declared;
  return {
    name,
    service: manifest.service,
    version: manifest.version,
    ...(title !== undefined && { title }),
    description: declared.description,
    scopes: override.scopes ?? declared.scopes ?? [],
    ...ruledHere(override),
    // Configuration may hide a tool or demand evidence; it can also lift both, which is the operator's right.
    internal: override.internal ?? declared.internal ?? false,
    auditRequired: override.auditRequired ?? declared.auditRequired ?? false,
    classification: stricter(classifications, declared.classification ?? 'internal', override.classificationAtLeast),
    ...(declared.dataCategories && { dataCategories: declared.dataCategories }),
    ...(manifest.codeHash !== undefined && { codeHash: manifest.codeHash }),
    owner: override.owner ?? declared.owner ?? manifest.owner ?? 'unknown',
    ...undeclared(declared, manifest, override),
    stability: declared.stability ?? 'stable',
    timeoutMs: override.timeoutMs ?? declared.timeoutMs ?? defaultTimeoutMs,
    ...(override.mayReturn && { mayReturn: override.mayReturn }),
    definitionHash: sha256(canonical(declared as unknown as JsonValue)),
    ...(entryText !== undefined && { entryText: entryText as JsonText }),
  } as const;
}

function undeclared(
  { classification, owner }: Declared,
  manifest: ServiceManifest,
  override: ToolOverride,
): Pick<Target, 'undeclared'> {
  const missing = [
    ...(classification === undefined && override.classificationAtLeast === undefined
      ? (['classification'] as const)
      : []),
    ...(owner === undefined && manifest.owner === undefined && override.owner === undefined
      ? (['owner'] as const)
      : []),
  ];
  return missing.length === 0 ? {} : { undeclared: missing };
}

const sideEffects: readonly SideEffect[] = ['read', 'write', 'destructive'];
const classifications: readonly Classification[] = ['public', 'internal', 'confidential', 'restricted'];

/** The later of two words in their order. */
function stricter<Word extends string>(order: readonly Word[], word: Word, least: Word | undefined): Word {
  return least !== undefined && order.indexOf(least) > order.indexOf(word) ? least : word;
}

/** A service asks again for what it declares; it has to be told where that was replaced. */
function ruledHere({ scopes, internal }: ToolOverride): { readonly isRuledHere?: true } {
  return scopes !== undefined || internal === false ? { isRuledHere: true } : {};
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
