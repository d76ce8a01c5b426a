import type { Intent } from '../intent.ts';
import type { Principal } from '../principal.ts';
import type { StoredToken } from './tokens.ts';

/** A credential that an intent was made from and ends with, where it is no token of the gateway's own. */
export interface IntentVoucher {
  readonly issuer: string;
  readonly tokenId?: string;
  readonly subject: string;
  readonly client: string;
  readonly session?: string;
  /** Milliseconds since the epoch. */
  readonly issuedAtMs: number;
}

/** What holders of an intent's token are, but for the intent itself. */
export type IntentHolder = Pick<
  Principal,
  'subject' | 'actor' | 'client' | 'session' | 'tenant' | 'app' | 'kind' | 'scopes' | 'attributes'
>;

/** An intent as it is stored: everything but the secret of its token, of which there is only a keyed hash. */
export interface StoredIntent {
  /** Whole: with the allowances of the intents it was made from. */
  readonly intent: Intent & Required<Pick<Intent, 'allows'>>;
  readonly holder: IntentHolder;
  /** HMAC-SHA-256 of the secret under the pepper, hex. */
  readonly secretHash: string;
  /** Path of the only endpoint its token is good at (RFC 8707). Absent: all. */
  readonly resource?: string;
  /** What its token is worth nothing without (RFC 7800): thumbprints of a DPoP key, of a client certificate. */
  readonly binding?: { readonly jkt?: string; readonly certificate?: string };
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  /** The call that made it. */
  readonly createdBy: string;
  /** The account or token holder it was made by, as records name it. */
  readonly credentialId: string;
  /**
   * Tokens of the gateway's own that it was made from, as they are now; `undefined` for one that is not there any more. It ends
   * with the first of them.
   */
  readonly tokens: readonly (StoredToken | undefined)[];
  readonly vouchers: readonly IntentVoucher[];
  /** Of itself, or of an intent it was made from: whichever was first. */
  readonly revokedAtMs?: number;
}

/** An intent to be stored. */
export interface NewIntent extends Omit<StoredIntent, 'tokens' | 'revokedAtMs'> {
  /** Ids of the gateway's own tokens that it ends with. */
  readonly tokenIds: readonly string[];
  /** The user's message, sealed for whoever may read it. */
  readonly sealedMessage?: string;
}

/** An intent as people are shown it, with what is left of it. */
export interface IntentListing {
  readonly stored: StoredIntent;
  /** What this intent itself has left, whatever those it was made from have. */
  readonly callsLeft: number;
  /** The user's message, sealed for whoever may read it. */
  readonly sealedMessage?: string;
}

/** What came of asking for one more call. */
export type IntentTaken =
  | { readonly taken: true; readonly from: 'calls' | 'asked' }
  /** `intent`: the one that ended, or has no call left. */
  | { readonly taken: false; readonly why: 'spent' | 'ended'; readonly intent: string };

/** Intents, and how many calls each has left: shared by all processes that have the same store open. */
export interface Intents {
  /** On the hot path; always tells the truth of now. */
  find(id: string): StoredIntent | undefined | Promise<StoredIntent | undefined>;
  /**
   * Takes one call from each of these intents or from none, atomically. A call that goes on with one which asked something
   * takes that one's place, if there is one.
   */
  take(
    intents: readonly string[],
    call: { readonly nowMs: number; readonly goesOn: boolean },
  ): IntentTaken | Promise<IntentTaken>;
  /** Gives it back: nothing left for the service. */
  giveBack(intents: readonly string[], from: 'calls' | 'asked'): void | Promise<void>;
  /** The call came back with a question: one more call may go on with it. */
  asked(intents: readonly string[]): void | Promise<void>;
}
