/**
 * How the names at one endpoint relate to the names at a service. At a mount they are the same; at the endpoint of all
 * services each carries its service: `svc.Name` for tools and prompts, `svc+<uri>` for resources and templates.
 *
 * `in` undoes `out` and takes nothing that `out` does not make, so every thing has exactly one name at an endpoint.
 */
export interface Naming {
  readonly service: string;
  /** Whether names are the same on both sides: then there is nothing to rewrite. */
  readonly isIdentity: boolean;
  /** The URI, or URI template, under which a client knows a service's one. */
  uriOut(uri: string): string;
  /** The service's own URI; `undefined` when it is not of this service. */
  uriIn(uri: string): string | undefined;
  /** The name under which a client knows a service's tool or prompt. */
  nameOut(name: string): string;
  /** The service's own name; `undefined` when it is not of this service. */
  nameIn(name: string): string | undefined;
}

/** Hosts recognise an MCP App by this scheme (`io.modelcontextprotocol/ui`), so it has to stay in front. */
const appScheme = 'ui://';

/** The names at a mount: as the service gives them. */
export function mountNaming(service: string): Naming {
  const same = (text: string): string => text;
  return { service, isIdentity: true, uriOut: same, uriIn: same, nameOut: same, nameIn: same };
}

/**
 * The names where all services are offered together: `file:///a` → `svc+file:///a`, `ui://a` → `ui://svc+a`, `Name` →
 * `svc.Name`. A service's name has neither `+` nor `.` nor `:`, so no two services share a name.
 */
export function prefixNaming(service: string): Naming {
  const uriPrefix = `${service}+`;
  const namePrefix = `${service}.`;
  return {
    service,
    isIdentity: false,
    uriOut: (uri) =>
      uri.startsWith(appScheme) ? `${appScheme}${uriPrefix}${uri.slice(appScheme.length)}` : `${uriPrefix}${uri}`,
    uriIn: (uri) => {
      const rest = serviceOfUri(uri) === service ? withoutService(uri) : undefined;
      // Its one name starts with the scheme.
      return rest?.startsWith(appScheme) && !uri.startsWith(appScheme) ? undefined : rest;
    },
    nameOut: (name) => `${namePrefix}${name}`,
    nameIn: (name) => (name.startsWith(namePrefix) ? name.slice(namePrefix.length) : undefined),
  };
}

/** The service that a URI of the endpoint of all services belongs to; `undefined` when it names none. */
export function serviceOfUri(uri: string): string | undefined {
  const start = uri.startsWith(appScheme) ? appScheme.length : 0;
  const plus = uri.indexOf('+', start);
  const service = plus < 0 ? '' : uri.slice(start, plus);
  return servicePattern.test(service) ? service : undefined;
}

const servicePattern = /^[a-z][a-z0-9-]{0,62}$/;

function withoutService(uri: string): string {
  const rest = uri.slice(uri.indexOf('+') + 1);
  return uri.startsWith(appScheme) ? `${appScheme}${rest}` : rest;
}
