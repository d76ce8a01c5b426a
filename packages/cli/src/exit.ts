/** How the command ends, as scripts see it. The same five for every command; `sallyport --help` lists them. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, refused: 3, unavailable: 4 } as const;

/** One word of the table above. */
export type ExitKind = keyof typeof exitCodes;

/**
 * What went wrong, in words for the person at the terminal: `message` says what, `hint` what to do about it.
 * Nothing secret may be in either.
 */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly kind: Exclude<ExitKind, 'ok'>;
  readonly hint: string | undefined;
  /** More facts for `--json`, such as `{ code, reason }` of a refusal. */
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    kind: Exclude<ExitKind, 'ok'>,
    message: string,
    more: { hint?: string; facts?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.kind = kind;
    this.hint = more.hint;
    this.facts = more.facts ?? {};
  }

  get exitCode(): number {
    return exitCodes[this.kind];
  }
}

/** The error code of a failed system call, such as `ENOENT`; undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
