import type { PolicyEngine } from '@sallyport/core';

/** Tools marked internal are for services and the owner; to everybody else they do not exist. */
export const internalTools: PolicyEngine = {
  decide: ({ resource, subject }) =>
    resource.internal && subject.kind !== 'service' && subject.kind !== 'owner'
      ? { effect: 'deny', policies: ['internal-tools'], explanation: 'the tool is internal' }
      : { effect: 'abstain', policies: [] },
  revision: () => 'internal-tools/1',
};
