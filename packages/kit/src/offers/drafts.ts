import { promptNamePattern } from '@sallyport/protocol';
import type {
  Complete,
  PromptArgument,
  PromptContext,
  PromptOptions,
  PromptOutput,
  ResourceContext,
  ResourceOptions,
  ResourceOutput,
} from './options.ts';

/** A prompt once its types have done their work. */
export interface PromptDraft {
  readonly name: string;
  readonly options: PromptOptions<Readonly<Record<string, PromptArgument>>>;
  readonly handler: (args: never, ctx: PromptContext) => PromptOutput | Promise<PromptOutput>;
}

/** The same of a resource. */
export interface ResourceDraft {
  readonly uri: string;
  readonly options: ResourceOptions;
  readonly read: (ctx: ResourceContext) => ResourceOutput | Promise<ResourceOutput>;
}

/** The same of a family of resources. */
export interface TemplateDraft {
  readonly uriTemplate: string;
  readonly options: ResourceOptions & { readonly complete?: Readonly<Record<string, Complete | undefined>> };
  readonly read: (variables: never, ctx: ResourceContext) => ResourceOutput | Promise<ResourceOutput>;
}

/** What a service offers beside tools, as it was said. */
export interface Drafts {
  readonly prompts: ReadonlyMap<string, PromptDraft>;
  readonly resources: ReadonlyMap<string, ResourceDraft>;
  readonly templates: ReadonlyMap<string, TemplateDraft>;
}

/** Collects what is said, until `close`. Everything throws for a bad name, a second one of the same name, and after that. */
export interface DraftTable {
  prompt(draft: PromptDraft): void;
  resource(draft: ResourceDraft): void;
  template(draft: TemplateDraft): void;
  /** Ends the collecting. `undefined` when nothing was said. */
  close(): Drafts | undefined;
}

/** Makes the table of a service. */
export function createDraftTable(service: string): DraftTable {
  const prompts = new Map<string, PromptDraft>();
  const resources = new Map<string, ResourceDraft>();
  const templates = new Map<string, TemplateDraft>();
  let isOpen = true;
  const add = <Draft>(table: Map<string, Draft>, name: string, draft: Draft): void => {
    if (!isOpen) throw new Error(`${service} runs already: define ${name} before it listens`);
    if (table.has(name)) throw new Error(`${name} is defined already`);
    table.set(name, draft);
  };
  return {
    prompt(draft) {
      if (!promptNamePattern.test(draft.name)) {
        throw new TypeError(`A prompt's name is letters, digits, _ . and -, not ${JSON.stringify(draft.name)}`);
      }
      add(prompts, draft.name, draft);
    },
    resource: (draft) => add(resources, draft.uri, draft),
    template: (draft) => add(templates, draft.uriTemplate, draft),
    close() {
      isOpen = false;
      return prompts.size + resources.size + templates.size === 0 ? undefined : { prompts, resources, templates };
    },
  };
}
