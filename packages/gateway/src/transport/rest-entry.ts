import type { ServiceStatus, Target } from '@sallyport/core';
import { prefixNaming } from '@sallyport/protocol';

/** The entry of a target in `GET /mcp/tools` and `GET /mcp/catalog`: all that a caller who may use it may know. */
export function restEntry(target: Target): object {
  return { ...identityOf(target), ...governedBy(target) };
}

function identityOf(target: Target): object {
  const { title, description, service } = target;
  const naming = prefixNaming(service);
  switch (target.capability) {
    case 'tool': {
      const { name, alias, inputSchema, outputSchema, examples, task } = target;
      return { name, alias, title, description, inputSchema, outputSchema, examples, task };
    }
    case 'prompt':
      return {
        ...{ name: naming.nameOut(target.remoteName), alias: target.alias, title, description },
        arguments: target.arguments,
      };
    case 'resource':
      return { uri: naming.uriOut(target.remoteName), ...resourceFacts(target) };
    case 'template':
      return { uriTemplate: naming.uriOut(target.remoteName), ...resourceFacts(target) };
    case 'method':
      return { name: target.remoteName, description };
    default:
      return target satisfies never;
  }
}

function resourceFacts({ label, title, description, mimeType }: Extract<Target, { label: string }>): object {
  return { name: label, title, description, mimeType };
}

function governedBy(target: Target): object {
  const { scopes, service, version, owner, sideEffect, expensive, idempotent, classification, risk, stability } =
    target;
  return {
    ...{ scopes, service, version, owner },
    ...{ sideEffect, expensive, idempotent, classification, risk, stability },
  };
}

/** A service in `GET /mcp/catalog`: whose it is, and how it is. */
export function serviceEntry({ name, version, owner, state, instances, mcp }: ServiceStatus): object {
  const { title } = mcp?.serverInfo ?? {};
  const { instructions } = mcp ?? {};
  return { namespace: name, title, version, owner, health: { state, instances }, instructions };
}
