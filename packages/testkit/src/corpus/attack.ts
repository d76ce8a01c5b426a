/** One thing that must be refused, and the one reason that must be given, whichever way it comes. */
export interface Attack {
  /** A short sentence, to find it by. */
  readonly name: string;
  /** The word of the gateway's closed table. */
  readonly reason: string;
}

/** Arguments as text, for any way in that takes text. */
export interface ArgumentsAttack extends Attack {
  readonly argumentsText: string;
}

/** A whole JSON-RPC message. */
export interface MessageAttack extends Attack {
  readonly text: string;
  /** It has no id, so on a connection it is recorded and not answered. */
  readonly unanswered?: boolean;
}

/** HTTP headers that are sent with an otherwise good call of MCP 2026-07-28. */
export interface HeaderAttack extends Attack {
  readonly headers: Readonly<Record<string, string>>;
  /** Also refused on REST, which mirrors nothing into headers. */
  readonly everywhere?: boolean;
}

/** What is presented in place of a token. */
export interface CredentialAttack extends Attack {
  readonly authorization: string;
}

/** A name that no tool has. */
export interface NameAttack extends Attack {
  readonly tool: string;
}
