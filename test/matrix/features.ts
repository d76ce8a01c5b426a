/** The one resource that is listed, and subscribed to. */
export const note = 'note://one';

/** What is asked of the user. */
export const form = {
  message: 'Sure?',
  requestedSchema: {
    type: 'object' as const,
    properties: { ok: { type: 'boolean' as const } },
    required: ['ok'],
  },
};

/** What is asked of the model. */
export const sampling = {
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: 'Say hello.' } }],
  maxTokens: 10,
};

/** What the user answers, and the model. */
export const answered = { action: 'accept', content: { ok: true } } as const;
export const sampled = { role: 'assistant', model: 'm', content: { type: 'text', text: 'hello' } } as const;

/** The folders that the client works in. */
export const folders = { roots: [{ uri: 'file:///srv/ada', name: 'ada' }] };

/** A result of one text. */
export const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

/** What the prompt `greet` gives. */
export const greeting = (name: string) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: `Hello ${name}` } }],
});
