import type { ErrorCode } from '@sallyport/protocol';

/**
 * An error that the caller may see: throw it from a handler. Its message is sent as it is, so write it for an agent and
 * put nothing secret in it; `cause` stays in the log. Anything else that a handler throws is told to nobody.
 */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * A call to another service that did not succeed. It is not passed on to whoever called us: catch it and throw a
 * `ToolError` to say something of it.
 */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** What kind of failure; for a tool's own error, the code of its `ToolError`. */
  readonly code: ErrorCode;
  /** The gateway's word for why it refused; `tool_error` when the tool answered with an error of its own. */
  readonly reason: string;
  /** When trying again may help. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    facts: { readonly code: ErrorCode; readonly reason: string; readonly retryAfterMs?: number },
  ) {
    super(message);
    this.code = facts.code;
    this.reason = facts.reason;
    this.retryAfterMs = facts.retryAfterMs;
  }
}
