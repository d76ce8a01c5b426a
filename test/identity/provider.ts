import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Holder } from './holder.ts';

/** What the provider is to be. */
export interface ProviderOptions {
  /** Private keys; it signs with the first. */
  readonly keys: readonly JWK[];
  readonly resource: string;
  readonly scope?: string;
  readonly tokenLifeS?: number;
}

/** A real authorization server in a process of its own. */
export interface ProviderProcess {
  readonly issuer: string;
  /** Gets an access token by client credentials (RFC 6749 §4.4) for the resource (RFC 8707); for a holder, one bound to his key. */
  token(asked?: { readonly client?: string; readonly resource?: string; readonly holder?: Holder }): Promise<string>;
  stop(): Promise<void>;
  /** Starts again at the same address, with other keys if there are any. */
  restart(keys?: readonly JWK[]): Promise<void>;
}

/** Draws a private signing key. */
export async function drawPrivateKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' };
}

/** Starts a provider. */
export async function startProvider(options: ProviderOptions): Promise<ProviderProcess> {
  let running = await launch(options, 0);
  const { issuer } = running;
  const stop = async (): Promise<void> => {
    if (running.child.exitCode !== null || running.child.signalCode !== null) return;
    const gone = once(running.child, 'exit');
    running.child.kill('SIGKILL');
    await gone;
  };
  return {
    issuer,
    stop,
    async restart(keys = options.keys) {
      await stop();
      running = await launch({ ...options, keys }, Number(new URL(issuer).port));
    },
    async token({ client = 'agent-1', resource = options.resource, holder } = {}) {
      const url = `${issuer}/token`;
      const proof = await holder?.prove({ method: 'POST', url, token: '' }, { claims: { ath: undefined } });
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`${client}:a-secret-of-${client}`)}`,
          ...(proof !== undefined && { DPoP: proof }),
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope: options.scope ?? 'posts:read' }),
      });
      const answer = (await response.json()) as { readonly access_token?: string };
      if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
      return answer.access_token;
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly issuer: string;
}

async function launch(
  { keys, resource, scope = 'posts:read', tokenLifeS = 600 }: ProviderOptions,
  port: number,
): Promise<Running> {
  const child = fork(join(import.meta.dirname, 'provider-process.ts'), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH },
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.send({ port, keys, resource, scope, tokenLifeS });
  const issuer = await Promise.race([
    once(child, 'message').then(([message]) => (message as { issuer: string }).issuer),
    once(child, 'exit').then(() => Promise.reject(new Error(`the provider ended: ${said}`))),
  ]);
  return { child, issuer };
}
