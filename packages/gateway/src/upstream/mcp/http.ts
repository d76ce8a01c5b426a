import type { Dispatcher } from 'undici';
import type { Begin } from './conversation.ts';
import { type State, withAssertions } from './http-assertion.ts';
import { withCredentials } from './http-credential.ts';
import { createHttpEndpoint, type HttpEndpointOptions } from './http-endpoint.ts';
import { beginLegacyHttp } from './http-legacy.ts';
import { beginModernHttp } from './http-modern.ts';

/** Where a server is that speaks MCP over Streamable HTTP. */
export interface HttpServerOptions extends Omit<HttpEndpointOptions, 'url'> {
  readonly url: string;
  readonly dispatcher: Dispatcher;
  /** For servers that check what the gateway states: states what is no call. */
  readonly assertion?: State | undefined;
}

/** The way to begin conversations with an MCP server over Streamable HTTP, of either era. */
export function createHttpBegin(options: HttpServerOptions): Begin {
  const endpoint = withCredentials(
    withAssertions(createHttpEndpoint({ ...options, url: new URL(options.url) }), options.assertion),
  );
  return (era, beginning) =>
    era === 'modern' ? beginModernHttp(endpoint, beginning) : beginLegacyHttp(endpoint, beginning);
}
