import type { JsonObject, ServiceManifest } from '@sallyport/protocol';
import type { ToolOverride } from '../../packages/gateway/src/catalog/targets.ts';
import type { LimitOverride } from '../../packages/gateway/src/limits/index.ts';

/** The ways a prompt, a resource or anything else that is no tool can end: the names are those of the tools that end so. */
export const variants = {
  Audited: { auditRequired: true },
  Contained: {},
  Crash: {},
  Echo: {},
  Hidden: {},
  HiddenFully: { auditRequired: true, scopes: ['lab:write'], timeoutMs: 1 },
  Internal: { internal: true },
  Limited: {},
  Quota: {},
  Scoped: { scopes: ['lab:write'] },
  Secret: {},
  Slow: { timeoutMs: 15 },
  Suspended: {},
  Uncredentialed: {},
} as const satisfies Record<string, ToolOverride>;

/** The name of one of them. */
export type Variant = keyof typeof variants;

export const variantNames = Object.keys(variants) as readonly Variant[];

/** What the service of the laws offers beside its tools, each in every variant. */
export const offers: Required<Pick<ServiceManifest, 'prompts' | 'resources' | 'templates'>> = {
  prompts: variantNames.map((name) => ({ name, description: `${name}.`, ...variants[name] })),
  resources: variantNames.map((name) => ({ uri: `note://${name}`, name, description: '', ...variants[name] })),
  templates: variantNames.map((name) => ({
    uriTemplate: `page://${name}/{n}`,
    name,
    description: '',
    ...variants[name],
  })),
};

/** Methods of the service's own: these are declared by configuration alone. */
export const vendorMethods: readonly string[] = variantNames.map((name) => `lab/${name}`);

/** What configuration says of them. */
export function overrideFor(name: string): ToolOverride {
  const [, variant] = /^lab\.methods\/lab\/(\w+)$/.exec(name) ?? [];
  if (variant !== undefined && Object.hasOwn(variants, variant)) return variants[variant as Variant];
  return name.startsWith('lab.Tools.Kept') ? { task: true } : {};
}

const governed =
  /^lab\.(?:Tools\.|prompts\/|resources\/(?:note|page):\/\/|templates\/page:\/\/|methods\/lab\/)([A-Za-z]+)/;

/** Which variant the target of a name is, of tools too. */
export function variantOf(targetName: string): string {
  return governed.exec(targetName)?.[1] ?? targetName;
}

/** All that is not a tool and can be asked for, by the name that rules go by. */
export const offeredNames = (variant: Variant) => ({
  prompt: `lab.prompts/${variant}`,
  resource: `lab.resources/note://${variant}`,
  page: `lab.resources/page://${variant}/7`,
  template: `lab.templates/page://${variant}/{n}`,
  method: `lab.methods/lab/${variant}`,
});

/** How often one caller may ask for what is limited; and once only for what is hidden and limited. */
export const limitedBurst = 3;

/** The limits of what is limited. */
export const offerLimits: readonly LimitOverride[] = (['Limited', 'HiddenFully'] as const).flatMap((variant) =>
  Object.values(offeredNames(variant)).map((pattern) => ({
    pattern,
    limit: { perPrincipal: { rate: 0.001, burst: variant === 'Limited' ? limitedBurst : 1 } },
  })),
);

/** What the service answers to a request for anything but a tool, in the service's own names. */
export function offerResult(
  method: string,
  target: { readonly name: string; readonly remoteName: string },
  args: JsonObject,
): JsonObject {
  const text = variantOf(target.name) === 'Secret' ? 'a SECRET-1234 and more' : `of ${target.remoteName}`;
  switch (method) {
    case 'prompts/get':
      return {
        description: text,
        messages: [{ role: 'user', content: { type: 'text', text: JSON.stringify(args) } }],
      };
    case 'resources/read':
      return { contents: [{ uri: target.remoteName, mimeType: 'text/plain', text }] };
    case 'completion/complete':
      return { completion: { values: [text, JSON.stringify(args)], hasMore: false } };
    default:
      return { text, echo: args };
  }
}
