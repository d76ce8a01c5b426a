import { compilePattern, type Endpoint, type Target } from '@sallyport/core';
import type { NameStyle } from '../catalog/entry-text.ts';
import type { GatewayConfig } from '../config/index.ts';

/** What each named view of a configuration takes in. A name that is none takes in nothing: `undefined`. */
export function compileViews({ views }: GatewayConfig): (name: string) => ((target: Target) => boolean) | undefined {
  const compiled = new Map(
    Object.entries(views).map(([name, { tools, prompts, resources }]) => {
      const matches = { tool: any(tools), prompt: any(prompts), resource: any(resources), template: any(resources) };
      const patterns = [...tools, ...prompts, ...resources];
      const takes = (target: Target): boolean => {
        if (target.capability === 'method') return false;
        // It stands for all that a service may have.
        if (target.remoteName === '') return patterns.some((pattern) => mayNameOf(target.service, pattern));
        return matches[target.capability](target.name);
      };
      return [name, takes] as const;
    }),
  );
  return (name) => compiled.get(name);
}

/** How an endpoint names things: mounted alone a service uses its own names, a view the names it is configured with. */
export function nameStyleOf({ views }: GatewayConfig): (endpoint: Endpoint) => NameStyle {
  return (endpoint) => {
    if (endpoint.kind === 'mount') return 'own';
    return endpoint.kind === 'view' && views[endpoint.name]?.names === 'safe' ? 'safe' : 'full';
  };
}

/** Whether a pattern may match something of a service: as far as can be seen where its first star is. */
function mayNameOf(service: string, pattern: string): boolean {
  const [beginning = '', ...rest] = pattern.split('*');
  return beginning.startsWith(`${service}.`) || (rest.length > 0 && `${service}.`.startsWith(beginning));
}

function any(patterns: readonly string[]): (name: string) => boolean {
  const compiled = patterns.map(compilePattern);
  return (name) => compiled.some((matches) => matches(name));
}
