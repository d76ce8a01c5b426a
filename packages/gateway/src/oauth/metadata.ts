import type { JsonObject } from '@sallyport/protocol';

/** What the gateway tells OAuth clients about itself. */
export interface ProtectedResource {
  /** The address under which agents know this gateway, without a path of MCP. */
  readonly publicUrl: string;
  /** Issuers whose tokens are good here; at least one, or there is nothing to tell. */
  readonly authorizationServers: readonly string[];
  /** The least that is needed to begin; what a call needs beyond that, its refusal says. Empty: not told. */
  readonly scopes: readonly string[];
  /** For people. */
  readonly name?: string;
  /** URL of a page for people. */
  readonly documentation?: string;
  readonly dpop?: { readonly algorithms: readonly string[]; readonly isRequired: boolean };
  /** Whether tokens may be bound to client certificates (RFC 8705). */
  readonly certificateBound?: boolean;
}

const wellKnown = '/.well-known/oauth-protected-resource';

/** Scopes that are the client's business with its authorization server, not a resource's (MCP authorization). */
const clientScopes: ReadonlySet<string> = new Set(['offline_access', 'openid']);

/**
 * The metadata document of one endpoint (RFC 9728 §2).
 *
 * @param path of the endpoint as in its address: `/mcp`, `/mcp/posts`, `/mcp/views/public`; empty for the gateway as a whole.
 */
export function resourceMetadata(resource: ProtectedResource, path: string): JsonObject {
  const { authorizationServers, name, documentation, dpop, certificateBound } = resource;
  const scopes = baselineScopes(resource);
  return {
    resource: baseOf(resource) + path,
    authorization_servers: [...authorizationServers],
    ...(scopes.length > 0 && { scopes_supported: [...scopes] }),
    bearer_methods_supported: ['header'],
    ...(name !== undefined && { resource_name: name }),
    ...(documentation !== undefined && { resource_documentation: documentation }),
    ...(dpop && {
      dpop_signing_alg_values_supported: [...dpop.algorithms],
      dpop_bound_access_tokens_required: dpop.isRequired,
    }),
    ...(certificateBound === true && { tls_client_certificate_bound_access_tokens: true }),
  };
}

/** Where that document is (RFC 9728 §3.1): the well-known path goes between host and path. For challenges. */
export function resourceMetadataUrl({ publicUrl }: Pick<ProtectedResource, 'publicUrl'>, path: string): string {
  const { origin, pathname } = new URL(publicUrl);
  return origin + wellKnown + pathname.replace(/\/$/, '') + path;
}

/**
 * Which endpoint's document a request is for; `undefined` when it is for none. A proxy that serves the gateway below a path may
 * have taken that path off, or not.
 *
 * @param isEndpoint whether something could be at a path, by its form alone: that there is a document must tell nobody what
 * services and views there are.
 */
export function resourcePathOf(
  requestPath: string,
  { publicUrl }: Pick<ProtectedResource, 'publicUrl'>,
  isEndpoint: (path: string) => boolean,
): string | undefined {
  if (!requestPath.startsWith(wellKnown)) return undefined;
  const rest = requestPath.slice(wellKnown.length);
  const prefix = new URL(publicUrl).pathname.replace(/\/$/, '');
  const paths = prefix !== '' && rest.startsWith(prefix) ? [rest.slice(prefix.length), rest] : [rest];
  return paths.find((path) => path === '' || isEndpoint(path));
}

/** The scopes to ask for at first. */
export function baselineScopes({ scopes }: Pick<ProtectedResource, 'scopes'>): readonly string[] {
  return scopes.filter((scope) => !clientScopes.has(scope));
}

function baseOf({ publicUrl }: ProtectedResource): string {
  return publicUrl.replace(/\/$/, '');
}
