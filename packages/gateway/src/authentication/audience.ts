import type { Endpoint } from '@sallyport/core';

/** The path of an endpoint: what comes after the public address in its resource identifier (RFC 8707, RFC 9728). */
export function pathOfEndpoint(endpoint: Endpoint | undefined): string {
  if (endpoint === undefined || endpoint.kind === 'all') return '/mcp';
  return endpoint.kind === 'view' ? `/mcp/views/${endpoint.name}` : `/mcp/${endpoint.service}`;
}

/**
 * Whether a token is meant for an endpoint: for the whole gateway, by its address or its MCP endpoint; for this endpoint
 * alone; or for an audience that the configuration says is this gateway. A token meant for one view or service is none for
 * another, nor for everything.
 */
export function isMeantFor(audiences: readonly string[], { publicUrl, endpoint, configured }: Target): boolean {
  if (audiences.some((audience) => configured.includes(audience))) return true;
  if (publicUrl === undefined) return false;
  const base = publicUrl.replace(/\/$/, '');
  const ours = [base, `${base}/`, `${base}/mcp`, base + pathOfEndpoint(endpoint)];
  return audiences.some((audience) => ours.includes(audience));
}

interface Target {
  readonly publicUrl: string | undefined;
  readonly endpoint: Endpoint | undefined;
  readonly configured: readonly string[];
}

/** The audiences of a token: one text or a list of them. `undefined` for anything else. */
export function audiencesOf(aud: unknown): readonly string[] | undefined {
  const list = typeof aud === 'string' ? [aud] : aud;
  if (!Array.isArray(list) || list.length === 0 || list.length > 64) return undefined;
  return list.every((one) => typeof one === 'string') ? list : undefined;
}
