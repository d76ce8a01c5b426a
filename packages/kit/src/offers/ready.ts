import type { PromptManifest, ResourceManifest, TemplateManifest } from '@sallyport/protocol';
import { type Answer, told } from '../answer.ts';
import type { IncomingCall } from '../call-context.ts';
import { type GuardRules, guardOf } from '../guards/guard.ts';
import type { Offer } from '../running-call.ts';
import { type Completions, runCompletion } from './completion.ts';
import type { Drafts, PromptDraft, ResourceDraft, TemplateDraft } from './drafts.ts';
import type { Complete } from './options.ts';
import { runPrompt } from './prompt.ts';
import { runRead } from './resource.ts';
import { isUri, parseUriTemplate, type UriTemplate } from './uri-template.ts';

/** What a service offers beside tools, ready to be called. */
export interface ReadyOffers {
  readonly prompts: readonly PromptManifest[];
  readonly resources: readonly ResourceManifest[];
  readonly templates: readonly TemplateManifest[];
  /** Whether callers can ask to be told of changes of any resource. */
  readonly subscribe: boolean;
  /** Whether anything has completions. */
  readonly completions: boolean;
  /** What a call is for, or the refusal. */
  find(incoming: IncomingCall): Offer | Answer;
  /** Whether callers can ask to be told of changes of this one. */
  canSubscribe(uri: string): boolean;
}

/** Checks every definition. Throws with the name of one that is not complete or not right. */
export function readyOffers({ prompts, resources, templates }: Drafts, rules: GuardRules): ReadyOffers {
  const sorted = <Draft>(table: ReadonlyMap<string, Draft>): readonly Draft[] =>
    [...table].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, draft]) => draft);
  const families = sorted(templates).map(toFamily);
  for (const { uri, options } of resources.values()) {
    if (!isUri(uri)) throw new TypeError(`${JSON.stringify(uri)} is not an absolute URI`);
    needDescription(uri, options.description);
  }
  for (const draft of prompts.values()) needDescription(draft.name, draft.options.description);

  // The gateway decides by the template that it takes a URI for. It must be the one by which the URI is then read.
  const byWeight = families.toSorted((a, b) => b.template.weight - a.template.weight);
  const familyOf = (uri: string) => byWeight.find(({ template }) => template.covers(uri));
  const familyNamed = (name: string) => families.find(({ draft }) => draft.uriTemplate === name);
  const completersOf = (name: string): Completions | undefined =>
    completersOfPrompt(prompts.get(name)) ?? familyNamed(name)?.completers;
  const readable = (uri: string): Offer | Answer => {
    const resource = resources.get(uri);
    if (resource !== undefined) {
      return { run: runRead(resource.options, resource.read), ...guardOf(resource.uri, resource.options, rules) };
    }
    const family = familyOf(uri);
    const variables = family?.template.match(uri);
    if (family === undefined || variables === undefined) return told(-32602, 'Unknown resource.', { uri });
    // Typed by the template, from whose variables these were just read.
    return {
      run: runRead(family.draft.options, (ctx) => family.draft.read(variables as never, ctx)),
      ...guardOf(family.draft.uriTemplate, family.draft.options, rules),
    };
  };

  return {
    prompts: sorted(prompts).map(promptManifest),
    resources: sorted(resources).map(resourceManifest),
    templates: families.map(({ draft }) => templateManifest(draft)),
    subscribe: [...resources.values(), ...templates.values()].some(({ options }) => options.subscribe === true),
    completions:
      families.some(({ completers }) => completers.size > 0) ||
      [...prompts.values()].some((prompt) => (completersOfPrompt(prompt)?.size ?? 0) > 0),
    find({ method, tool, arguments: args }) {
      if (method === 'resources/read') {
        const { uri } = args as { readonly uri?: unknown };
        return typeof uri === 'string' && uri === tool ? readable(uri) : told(-32602, 'uri: a text is needed');
      }
      if (method === 'prompts/get') {
        const prompt = prompts.get(tool);
        return prompt === undefined
          ? told(-32602, 'Unknown prompt.')
          : { run: runPrompt(prompt), ...guardOf(prompt.name, prompt.options, rules) };
      }
      const completers = completersOf(tool);
      if (completers === undefined) return told(-32602, 'Unknown reference.');
      const options = (prompts.get(tool) ?? familyNamed(tool)?.draft)?.options ?? {};
      return { run: runCompletion(completers), ...guardOf(tool, options, rules) };
    },
    canSubscribe: (uri) => (resources.get(uri) ?? familyOf(uri)?.draft)?.options.subscribe === true,
  };
}

interface Family {
  readonly draft: TemplateDraft;
  readonly template: UriTemplate;
  readonly completers: Completions;
}

function toFamily(draft: TemplateDraft): Family {
  const template = parseUriTemplate(draft.uriTemplate);
  needDescription(draft.uriTemplate, draft.options.description);
  const { complete = {} } = draft.options;
  const odd = Object.keys(complete).find((name) => !template.variables.includes(name));
  if (odd !== undefined) throw new TypeError(`${draft.uriTemplate} has no variable ${odd} to complete`);
  return { draft, template, completers: completersIn(template.variables.map((name) => [name, complete[name]])) };
}

function completersOfPrompt(draft: PromptDraft | undefined): Completions | undefined {
  if (draft === undefined) return undefined;
  const args = Object.entries(draft.options.arguments ?? {});
  return completersIn(args.map(([name, { complete }]) => [name, complete]));
}

function completersIn(entries: readonly (readonly [string, Complete | undefined])[]): Completions {
  return new Map(entries.flatMap(([name, complete]) => (complete === undefined ? [] : [[name, complete] as const])));
}

function promptManifest({ name, options }: PromptDraft): PromptManifest {
  const { arguments: args = {}, ...declared } = options;
  return {
    ...declared,
    name,
    arguments: Object.entries(args).map(([argument, { complete: _, ...said }]) => ({ name: argument, ...said })),
  };
}

function resourceManifest({ uri, options }: ResourceDraft): ResourceManifest {
  const { subscribe: _, ...declared } = options;
  return { ...declared, uri };
}

function templateManifest({ uriTemplate, options }: TemplateDraft): TemplateManifest {
  const { subscribe: _, complete: __, ...declared } = options;
  return { ...declared, uriTemplate };
}

function needDescription(name: string, description: string | undefined): void {
  if (description === undefined || description.trim() === '') {
    throw new Error(`${name} has no description: agents choose by it`);
  }
}
