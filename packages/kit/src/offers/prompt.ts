import { resultOf, toldError } from '../answer.ts';
import type { Work } from '../running-call.ts';
import type { PromptDraft } from './drafts.ts';
import { guarded } from './guard.ts';
import type { PromptOutput } from './options.ts';

/** Answers `prompts/get`. */
export function runPrompt({ options, handler }: PromptDraft): Work {
  const declared = Object.entries(options.arguments ?? {});
  return (args, context) =>
    guarded(context, async () => {
      const given = new Map(Object.entries(args));
      const missing = declared.find(([name, { required }]) => required === true && !given.has(name));
      if (missing !== undefined) return toldError('invalid_argument', `The argument ${missing[0]} is missing.`);
      if (![...given.values()].every((value) => typeof value === 'string')) {
        return toldError('invalid_argument', 'The arguments of a prompt are texts.');
      }
      // Only what is declared: what a handler does not expect it does not get.
      const known = Object.fromEntries(declared.map(([name]) => [name, given.get(name)]));
      return resultOf(toText(await handler(known as never, context)));
    });
}

function toText(output: PromptOutput): string {
  const { description, messages } = whole(output);
  return JSON.stringify({
    ...(description !== undefined && { description }),
    messages: messages.map(({ role, content }) => ({
      role,
      content: typeof content === 'string' ? { type: 'text', text: content } : content,
    })),
  });
}

function whole(output: PromptOutput): Extract<PromptOutput, { readonly messages: unknown }> {
  if (typeof output === 'string') return { messages: [{ role: 'user', content: output }] };
  return 'messages' in output ? output : { messages: output };
}
