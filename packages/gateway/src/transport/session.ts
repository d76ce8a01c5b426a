import type { JsonText, Principal } from '@sallyport/core';
import type { JsonRpcId } from '@sallyport/protocol';

/** A question for a client: a request of the server's own (MCP 2025-11-25: elicitation, sampling, roots). */
export interface ClientQuestion {
  readonly method: string;
  readonly paramsText: JsonText;
}

/** What a client answered. */
export type ClientReply =
  | { readonly kind: 'result'; readonly resultText: JsonText }
  | { readonly kind: 'error'; readonly code: number; readonly message: string };

/** What a client said of itself when it initialized. */
export interface Introduction {
  readonly version: string;
  /** MCP `ClientCapabilities`. */
  readonly capabilitiesText: JsonText;
}

/** What a legacy client and the gateway keep of each other between messages (MCP 2025-11-25, lifecycle and sessions). */
export interface Session extends Introduction {
  /** Names the session to its client. Random, and still proves nothing: every message is authenticated. */
  readonly id: string;
  /** Names it to services; says nothing of the id. */
  readonly conversation: string;
  /** The least severe log message the client wants to hear; `undefined` until it said so. */
  logLevel: string | undefined;
  /** The resources it subscribed to, as it names them. */
  readonly resourceUris: Set<string>;
  /** Whether it is this principal's. The first one that asks owns it. */
  readonly admits: (principal: Principal) => boolean;
  /** Sends a message that belongs to no request. */
  tell(message: string): void;
  /** Hands over an answer. False when no question of this session has this id. */
  deliver(id: JsonRpcId, reply: ClientReply): boolean;
  /** Ends what it holds open. */
  end(): void;
  /** Runs when the session ends, at once if it has. */
  onEnd(listener: () => void): void;
}
