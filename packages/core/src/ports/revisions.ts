/** One file of policies, as it was read. */
export interface PolicyFile {
  /** Relative to the configuration, with `/`. */
  readonly name: string;
  readonly text: string;
}

/** All policies as they were at one time, with what else decisions depend on. */
export interface PolicyRevision {
  /** SHA-256 of files and settings, hex: equal contents are one revision. */
  readonly id: string;
  readonly files: readonly PolicyFile[];
  /** JSON: what a configuration says of policies. */
  readonly settingsText: string;
}

/** How a revision came into force. */
export interface RevisionChange {
  readonly revision: string;
  readonly kind: 'load' | 'rollback';
  /** Who did it: an account, or the user of the operating system that the gateway runs as. */
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** For people: why. */
  readonly reason?: string;
}

/** A revision without its files, and what became of it. */
export interface RevisionListing extends RevisionChange {
  /** The one that was in force before. */
  readonly before?: string;
  /** Somebody took it out of force by hand: files that say the same are not taken in again. */
  readonly isRetired: boolean;
}

/** What is in force after something was tried. */
export interface InForce {
  readonly revision: PolicyRevision;
  /** It was this attempt that put it there. */
  readonly changed: boolean;
}

/**
 * The revisions of policies, shared by all processes that have the same store open. What was in force once is kept: records
 * name it, and can be decided again.
 */
export interface Revisions {
  /**
   * Takes a revision in and puts it in force, unless somebody retired it: then what is in force stays. Says what is in force
   * now. Atomic: of two processes that load the same, one changes.
   */
  load(revision: PolicyRevision, change: Omit<RevisionChange, 'revision' | 'kind'>): Promise<InForce>;
  /**
   * Puts a revision in force that was there before, and retires the one that it replaces. Atomic. `undefined`: there is no
   * such revision.
   */
  rollback(id: string, change: Omit<RevisionChange, 'revision' | 'kind'>): Promise<InForce | undefined>;
  /** The id of the one in force; undefined before the first. */
  current(): Promise<string | undefined>;
  find(id: string): Promise<PolicyRevision | undefined>;
  /** Changes, newest first. */
  history(limit: number): Promise<readonly RevisionListing[]>;
}
