import { existsSync } from 'node:fs';
import type { GatewayConfig } from '@sallyport/gateway';
import { bad, type Finding, good, unknown } from './finding.ts';
import { checkPrivate } from './machine.ts';

/** Looks at the secrets that a service of the configuration names: files (0600), and variables of the gateway's environment. */
export function checkSecrets(
  name: string,
  service: GatewayConfig['services'][string],
  env: Environment,
): readonly Finding[] {
  const parts: Readonly<Record<string, unknown>> = { ...service };
  return checkNamed(`secret of ${name}`, [...namedIn(parts.credential), ...namedIn(parts.secretEnv)], env);
}

/** The same for those of the webhooks that are told of approvals. */
export function checkWebhookSecrets({ approvals }: GatewayConfig, env: Environment): readonly Finding[] {
  return approvals.webhooks.flatMap(({ name, url, secret }) =>
    checkNamed(`secret of webhook ${name}`, namedIn([url, secret]), env),
  );
}

type Environment = Readonly<Record<string, string | undefined>>;

function checkNamed(what: string, secrets: readonly Named[], env: Environment): readonly Finding[] {
  return secrets.map((secret) => {
    if (secret.file !== undefined) {
      if (existsSync(secret.file)) return checkPrivate(what, secret.file);
      return bad(what, `${secret.file} is not there`, 'Put the secret there, mode 0600, and nothing else.');
    }
    return env[secret.env] === undefined || env[secret.env] === ''
      ? unknown(what, `the variable ${secret.env} is not set here; it has to be where the gateway is started`)
      : good(what, `the variable ${secret.env} is set`);
  });
}

type Named = { readonly file: string } | { readonly file?: undefined; readonly env: string };

function namedIn(value: unknown): readonly Named[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('file' in value && typeof value.file === 'string') return [{ file: value.file }];
  if ('env' in value && typeof value.env === 'string') return [{ env: value.env }];
  return Object.values(value).flatMap(namedIn);
}
