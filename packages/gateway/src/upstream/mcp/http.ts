import type { Dispatcher } from 'undici';
import type { Begin } from './conversation.ts';
import { withCredentials } from './http-credential.ts';
import { createHttpEndpoint, type HttpEndpointOptions } from './http-endpoint.ts';
import { beginLegacyHttp } from './http-legacy.ts';
import { beginModernHttp } from './http-modern.ts';

/** Where a server is that speaks MCP over Streamable HTTP. */
export interface HttpServerOptions extends Omit<HttpEndpointOptions, 'url'> {
  readonly url: string;
  readonly dispatcher: Dispatcher;
}

/** The way to begin conversations with an MCP server over Streamable HTTP, of either era. */
export function createHttpBegin(options: HttpServerOptions): Begin {
  const endpoint = withCredentials(createHttpEndpoint({ ...options, url: new URL(options.url) }));
  return (era, beginning) =>
    era === 'modern' ? beginModernHttp(endpoint, beginning) : beginLegacyHttp(endpoint, beginning);
}
