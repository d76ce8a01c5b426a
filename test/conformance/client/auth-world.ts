import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminCall, createLogger, loadConfig, startGateway } from '@sallyport/gateway';
import { type AuthContext, authTalkOf, browse } from './auth-talks.ts';

const service = 'fixture';
const plenty = { rate: 100_000, burst: 100_000 };
/** How long the lists of a server are waited for, in milliseconds. */
const longestListingMs = 5_000;

/** What the suite asks for. */
export interface AuthScenario {
  readonly scenario: string;
  readonly revision: string;
  readonly context: AuthContext;
  readonly server: string;
}

/** Plays a scenario about OAuth: a gateway as `sallyport serve` runs it is the client of the suite's servers. */
export async function playAuth({ scenario, revision, context, server }: AuthScenario): Promise<void> {
  const talk = authTalkOf(scenario);
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-conformance-'));
  let secrets = 0;
  const write = (secret: string) => {
    const file = join(folder, `secret-${++secrets}`);
    writeFileSync(file, secret, { mode: 0o600 });
    return { file };
  };
  const config = {
    version: 1,
    listen: { port: 0 },
    admin: { port: 0 },
    services: { [service]: { address: server, credential: await withIssuer(server, talk.credential(context, write)) } },
    limits: { denied: plenty, peer: plenty },
  };
  const file = join(folder, 'sallyport.yaml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const loaded = await loadConfig(file);
  const log = createLogger({ level: 'fatal' });
  const gateway = await startGateway({ config: loaded.config, log });
  try {
    await talk.play({
      ...{ revision, token: await gateway.mintRunToken(['*']) },
      mount: new URL(`${gateway.mcpUrl}/${service}`),
      async connect() {
        const target = { socketPath: gateway.adminSocket };
        const answer = (await adminCall(target, 'credentials.connect', { args: { service } })) as { url: string };
        await browse(answer.url);
      },
      async listed() {
        const untilMs = performance.now() + longestListingMs;
        while ((gateway.toolCounts().get(service) ?? 0) === 0 && performance.now() < untilMs) await sleep(20);
        return (gateway.toolCounts().get(service) ?? 0) > 0;
      },
    });
  } finally {
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An operator who has a secret for an authorization server knows which one it is: here, the one that the suite's server names. */
async function withIssuer(server: string, credential: object): Promise<object> {
  const isSecret = /"(secret|assertion)":/.test(JSON.stringify(credential));
  if (!isSecret || 'issuer' in credential) return credential;
  const { origin, pathname } = new URL(server);
  const answer = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`);
  const { authorization_servers: [issuer] = [] } = (await answer.json()) as { authorization_servers?: string[] };
  return { ...credential, issuer };
}
