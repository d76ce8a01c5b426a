import { GatewayError, outOfBounds, type PolicyEngine } from '@sallyport/core';

/**
 * Holds the arguments of a call to the bounds of the intent it is made under. Who asks about a task, or goes on with one, has
 * been let in with the arguments already.
 */
export const intentBounds: PolicyEngine = {
  decide: ({ subject, resource, context }) => {
    const { method, arguments: args } = context;
    if (subject.intent === undefined || args === undefined || method?.startsWith('tasks/')) return abstains;
    const found = outOfBounds(subject.intent, resource.id, args);
    if (found === undefined) return abstains;
    const { intent, issues } = found;
    return {
      effect: 'deny',
      policies: ['intent-bounds'],
      explanation: issues.join('; '),
      refusal: new GatewayError('intent_exceeded', { intent, issues }),
    };
  },
  revision: () => 'intent-bounds/1',
};

const abstains = { effect: 'abstain', policies: [] } as const;
