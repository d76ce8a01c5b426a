import type { TraceContext } from '@sallyport/protocol';
import type { CancelSignal, ClientSide, JsonText, Origin, Retry } from '../call.ts';
import type { Answer, Progress } from '../outcome.ts';
import type { Permit } from '../permit.ts';

/** What an upstream said when it did not take what it was shown (RFC 6750 §3, RFC 9449 §9). */
export interface CredentialRefusal {
  readonly status: 401 | 403;
  /** `WWW-Authenticate`; several of them joined by commas. */
  readonly challenge?: string;
  /** What the next proof of possession has to hold. */
  readonly nonce?: string;
}

/** A credential that another one may be had for, once the upstream has refused it. */
export interface Renewable {
  /** `undefined`: there is no other one, and the refusal stands. It ends by its own time. */
  readonly renew?: (refusal: CredentialRefusal) => Promise<OutboundCredential | undefined>;
}

/** What the gateway shows to the upstream. Never the caller's own credential. */
export type OutboundCredential =
  | ({ readonly kind: 'none' } & Renewable)
  | ({ readonly kind: 'bearer'; readonly token: string } & Renewable)
  /** A header of the upstream's own: an API key. */
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  /** A token bound to a key of the gateway's (RFC 9449): each request has a proof of its own. */
  | ({
      readonly kind: 'dpop';
      readonly token: string;
      /** @param url of the request, without query and fragment. */
      readonly prove: (request: { readonly method: string; readonly url: string }) => Promise<string>;
      /** Told of the nonces that answers bring. */
      readonly onNonce: (nonce: string) => void;
    } & Renewable)
  /** Found out when it is needed: for what the gateway asks for itself, long after it was started. */
  | { readonly kind: 'deferred'; readonly find: () => Promise<OutboundCredential> }
  /** There is none until the user has agreed, at a page of the gateway's. Dispatch asks for that; no upstream sees it. */
  | {
      readonly kind: 'consent';
      readonly url: string;
      readonly message: string;
      /** Waits until the user has agreed, and finds the credential; `undefined` when the signal fires before, or he refuses. */
      readonly settled?: (signal: CancelSignal) => Promise<OutboundCredential | undefined>;
    };

/** Everything about one crossing that is not in the permit. */
export interface Hop {
  readonly credential: OutboundCredential;
  /**
   * Makes a signed statement of what was permitted, for upstreams that are to check it: a new one for each HTTP request, and
   * good for that one alone.
   */
  readonly assertion?: (request: { readonly method: string; readonly body?: string | undefined }) => Promise<string>;
  readonly trace: TraceContext;
  readonly signal: CancelSignal;
  /** Fires when the call is contained, also while its caller is asked something and nobody waits. Absent: it never is. */
  readonly contained?: CancelSignal;
  readonly transport: Origin['transport'];
  readonly era: Origin['era'];
  /** Whom the service may ask, and what about; `conversation` is always there. */
  readonly client: ClientSide & { readonly conversation: string };
  /** `permit.retry` with the service's own state in it again. */
  readonly retry?: Retry;
  /** The service's own id of the task the call is about. */
  readonly taskId?: string;
  readonly timeoutMs: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly onNotification?: (method: string, paramsText: JsonText) => void;
  readonly onPause?: (retryMs: number | undefined) => void;
  /** To be called right before the first byte leaves. */
  readonly sent: () => void;
}

/** What an upstream says about itself. */
export interface UpstreamDescription {
  readonly service: string;
  readonly kind: string;
}

/**
 * One service behind the gateway, however many instances it has.
 *
 * `open` spends the permit before its first byte leaves, sends `permit.argumentsText` and nothing else as arguments
 * (`hop.retry` as answers to what it asked before), and
 * ends within `hop.timeoutMs` and when `hop.signal` fires. It throws `GatewayError` `upstream_unavailable` (nothing was
 * sent), `upstream_failed`, `upstream_timeout` or `cancelled`; a tool that reports failure, a question to the caller and a
 * protocol error in the service's own words are answers, not errors.
 */
export interface Upstream {
  describe(): UpstreamDescription;
  open(permit: Permit, hop: Hop): Promise<Answer>;
  close(): Promise<void>;
}
