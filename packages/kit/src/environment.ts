/** What a service takes from the process around it. The only file of the kit that reaches for any of it. */
export interface Environment {
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** From 0 to 1; good enough to spread reconnections, not for secrets. */
  readonly random: () => number;
  /** Where to dial a gateway: `unix:/path` or `tls:host:port`. */
  readonly hop: string | undefined;
  /** Where to listen for a gateway instead. */
  readonly listen: string | undefined;
  /** The path of the credential, never the credential itself. */
  readonly credentialFile: string | undefined;
  /** Paths of what a hop over mutual TLS needs, and the gateway's SPIFFE id. */
  readonly tls: Readonly<Record<'cert' | 'key' | 'ca' | 'gateway', string | undefined>>;
  readonly logLevel: string | undefined;
  /** What the place is called where the service runs: tools may say where they can be called. */
  readonly name: string | undefined;
  /** What names the build that is running. */
  readonly codeHash: string | undefined;
}

/** Reads what `sallyport run` passes to the services that it starts, and the clock. */
export function readEnvironment(): Environment {
  const { env } = process;
  return {
    nowMs: Date.now,
    random: Math.random,
    hop: env.SALLYPORT_HOP,
    listen: env.SALLYPORT_LISTEN,
    credentialFile: env.SALLYPORT_CREDENTIAL_FILE,
    tls: {
      cert: env.SALLYPORT_TLS_CERT,
      key: env.SALLYPORT_TLS_KEY,
      ca: env.SALLYPORT_TLS_CA,
      gateway: env.SALLYPORT_TLS_GATEWAY,
    },
    logLevel: env.SALLYPORT_LOG_LEVEL,
    name: env.SALLYPORT_ENVIRONMENT,
    codeHash: env.SALLYPORT_CODE_HASH,
  };
}
