import { type JsonObject, type ServiceManifest, tasksExtension } from '@sallyport/protocol';
import type { ReadyOffers } from './offers/ready.ts';

/**
 * What a service can do, as MCP's `ServerCapabilities`; `undefined` for one that has tools alone and no tasks: there is
 * nothing to say of it that its tools do not say.
 */
export function capabilitiesOf(
  { tools }: Pick<ServiceManifest, 'tools'>,
  offers: ReadyOffers | undefined,
): JsonObject | undefined {
  const hasTasks = tools.some(({ task }) => task !== undefined);
  if (offers === undefined && !hasTasks) return undefined;
  const hasResources = offers !== undefined && offers.resources.length + offers.templates.length > 0;
  return {
    ...(tools.length > 0 && { tools: {} }),
    ...(offers !== undefined && offers.prompts.length > 0 && { prompts: {} }),
    ...(hasResources && { resources: offers.subscribe ? { subscribe: true } : {} }),
    ...(offers?.completions === true && { completions: {} }),
    logging: {},
    ...(hasTasks && { extensions: { [tasksExtension]: {} } }),
  };
}
