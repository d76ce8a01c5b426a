import type { JsonText } from './call.ts';
import type { GatewayError } from './error.ts';
import type { Tool } from './tool.ts';

/** How far a running call is, told to callers that asked. */
export interface Progress {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** What an upstream answered: an MCP `CallToolResult` object as text. */
export interface Answer {
  readonly text: JsonText;
  /** The tool itself reported failure; the call did go through. */
  readonly isError: boolean;
  /** Which instance answered. */
  readonly instance: string;
}

/** A page of a caller's view. */
export interface Listing {
  readonly tools: readonly Tool[];
  readonly nextCursor?: string;
  /** Changes exactly when what this caller sees changes. */
  readonly etag: string;
  readonly stale: boolean;
}

/** An open subscription to catalog changes. */
export interface Subscription {
  close(): void;
}

/** The call went through and this came back. */
export interface Answered<Content> {
  readonly kind: 'answered';
  readonly content: Content;
}

/** The call waits for somebody; asking again with the same arguments, or replying to the question, continues it. */
export interface Suspended {
  readonly kind: 'suspended';
  readonly question: string;
  readonly reason: string;
}

/** The call did not go through, and why. */
export interface Refused {
  readonly kind: 'refused';
  readonly error: GatewayError;
}

/** How every call ends: one of three, and always exactly one. */
export type Outcome<Content> = Answered<Content> | Suspended | Refused;
