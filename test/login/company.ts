import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';

/** An identity provider that is not ours. */
export interface Company {
  readonly issuer: string;
  stop(): Promise<void>;
}

/** Starts one, in a process of its own. */
export async function startCompany(options: {
  readonly resource: string;
  readonly scope?: string;
  readonly clients?: readonly object[];
}): Promise<Company> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: 'company', alg: 'ES256', use: 'sig' };
  const child: ChildProcess = fork(join(import.meta.dirname, 'company-process.ts'), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH },
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.send({ key, clients: [], scope: 'posts:read posts:write', ...options });
  const issuer = await Promise.race([
    once(child, 'message').then(([message]) => (message as { issuer: string }).issuer),
    once(child, 'exit').then(() => Promise.reject(new Error(`the provider ended: ${said}`))),
  ]);
  return {
    issuer,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** A port that nobody listens on just now: both sides have to know it before either is there. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}
