/** What a service is told by its environment. Credentials are files: only their paths are here. */
export interface Environment {
  /** Where to dial a gateway: `unix:/path` or `tls:host:port`. */
  readonly hop: string | undefined;
  /** Where to listen for a gateway instead. */
  readonly listen: string | undefined;
  readonly credentialFile: string | undefined;
  readonly logLevel: string | undefined;
}

/** Reads what `sallyport run` passes to the services that it starts. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  return {
    hop: env.SALLYPORT_HOP,
    listen: env.SALLYPORT_LISTEN,
    credentialFile: env.SALLYPORT_CREDENTIAL_FILE,
    logLevel: env.SALLYPORT_LOG_LEVEL,
  };
}
