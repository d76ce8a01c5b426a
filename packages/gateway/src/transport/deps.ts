import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  CallId,
  Endpoint,
  GatewayError,
  JsonText,
  Origin,
  PeerCertificate,
  Pipeline,
  Target,
} from '@sallyport/core';
import type { JsonObject, JsonValue, ServerInfo, TraceContext } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Patience } from './waiting.ts';

/** Whether the gateway can serve, and what else is worth telling to whoever asks. */
export interface Readiness {
  readonly ready: boolean;
  readonly [more: string]: JsonValue;
}

/** What a connection shows of certificates. */
export interface ConnectionCertificate {
  /** The other end of the socket itself. */
  readonly address: string;
  /** Of the other end of the socket, verified by TLS against the configured authorities. */
  readonly verified?: X509Certificate;
  /** Values of `X-Forwarded-Client-Cert` headers: anybody can write one. */
  readonly forwarded: readonly string[];
}

/** A request for a token, as it came in. */
export interface TokenRequest {
  readonly form: URLSearchParams;
  /** Why it cannot be taken, where that is known before its form is looked at. */
  readonly problem?: GatewayError;
  /** Whether a client tried to say who it is, and nobody looked at that yet. */
  readonly hasClientCredential: boolean;
  readonly origin: Origin;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
  readonly signal: AbortSignal;
  readonly receivedBytes: number;
}

/** The answer to it. */
export interface TokenAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

/** All that transports lean on. They decide nothing: every message ends in the pipeline. */
export interface TransportDeps {
  readonly pipeline: Pipeline;
  readonly newCallId: () => CallId;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Continues the caller's trace with a new span; a missing or broken `traceparent` starts a new one. */
  readonly newTrace: (traceparent?: string, tracestate?: string, baggage?: string) => TraceContext;
  readonly serverInfo: ServerInfo;
  readonly log: Logger;
  /** Largest message, in bytes. */
  readonly maxRequestBytes: number;
  /** Tools in one page of a list. */
  readonly pageSize: number;
  /** Whether an address belongs to a proxy whose forwarded headers are believed. */
  readonly trustedProxies: (address: string) => boolean;
  /** Reads the client certificate of a connection, or what a proxy says it was. Absent: certificates say nothing. */
  readonly certificateOf?: (connection: ConnectionCertificate) => PeerCertificate | undefined;
  readonly ready: () => Readiness;
  /** The entry of a target in MCP's lists, as JSON text, named as the endpoint names things. */
  readonly entryText: (target: Target, style: 'full' | 'own' | 'safe') => JsonText;
  /** How an endpoint names things. */
  readonly nameStyle: (endpoint: Endpoint) => 'full' | 'own' | 'safe';
  /** Seals what callers carry and bring back: cursors. */
  readonly sealer: {
    seal(kind: string, claims: JsonObject, expiresAtMs: number): string;
    open(kind: string, text: string): JsonObject | undefined;
  };
  /** The headers that tell an OAuth client what to do about a refusal at an endpoint. Default: the challenge of RFC 6750 alone. */
  readonly challenge?: (error: GatewayError, endpoint: Endpoint) => Readonly<Record<string, string>>;
  /**
   * The document that tells OAuth clients of the endpoint at a path (RFC 9728); undefined where there is none. Nobody has to
   * prove anything to read it, so it must not depend on what there is. Absent: there is no authorization server to tell of.
   */
  readonly resourceMetadata?: (path: string, isEndpoint: (path: string) => boolean) => JsonObject | undefined;
  /** Serves a request of people and OAuth clients by itself; false for one that is not its own. Absent: there is nobody for those. */
  readonly authServer?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** What anybody may read at this path, from any web page; undefined where there is nothing. */
  readonly document?: (path: string) => JsonObject | Promise<JsonObject> | undefined;
  /** Headers of every answer over HTTP. */
  readonly answerHeaders?: () => Readonly<Record<string, string>>;
  /** The address under which agents know this gateway. Default: the one that they ask. */
  readonly publicUrl?: string;
  /** Exchanges tokens at `/oauth/token` (RFC 8693). Absent: there is no such path. */
  readonly exchangeToken?: (request: TokenRequest) => Promise<TokenAnswer>;
  /** How long callers are kept waiting for what their calls wait for. Default: 20 seconds at a time. */
  readonly patience?: Patience;
  /** Whether server cards and the AI catalog are served (experimental). Default: not. */
  readonly serverCards?: boolean;
}
