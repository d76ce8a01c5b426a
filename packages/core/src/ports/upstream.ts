import type { TraceContext } from '@sallyport/protocol';
import type { CancelSignal, ClientSide, JsonText, Origin, Retry } from '../call.ts';
import type { Answer, Progress } from '../outcome.ts';
import type { Permit } from '../permit.ts';

/** What the gateway shows to the upstream. Never the caller's own credential. */
export type OutboundCredential = { readonly kind: 'none' } | { readonly kind: 'bearer'; readonly token: string };

/** Everything about one crossing that is not in the permit. */
export interface Hop {
  readonly credential: OutboundCredential;
  readonly trace: TraceContext;
  readonly signal: CancelSignal;
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
