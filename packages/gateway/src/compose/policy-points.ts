import type { PolicyEngine } from '@sallyport/core';
import type { Logger } from 'pino';
import { createExternalEngine } from '../authorization/external.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createReadSecret } from '../credentials/index.ts';
import { createGuardedFetch, type Guarded, type GuardedConnectorOptions } from '../egress/index.ts';
import type { ExternalPoint } from '../policy/config.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import { isOfThisMachine } from './issuer-fetch.ts';
import type { Lifetime } from './lifetime.ts';

interface PointParts {
  /** As it is now: a reload counts from the next question on. */
  readonly config: () => Pick<GatewayConfig, 'policy'>;
  readonly egress?: Pick<GuardedConnectorOptions, 'resolve' | 'connect'> | undefined;
  readonly log: Pick<Logger, 'warn'>;
  readonly life: Pick<Lifetime, 'onClose'>;
}

/**
 * The decision points of a configuration, asked on the internet, in the networks that it names for each, and on this machine
 * those whose own address is there.
 *
 * @throws Error when a secret that it names cannot be read.
 */
export function createPolicyPoints({ config, egress, log, life }: PointParts): PolicyEngine {
  const readSecret = createReadSecret({ readFile: readPrivateFile, env: process.env });
  const tokenOf = ({ token }: ExternalPoint): string | undefined => token && readSecret(token);
  for (const point of config().policy.external) tokenOf(point);
  const made = new Map<string, Guarded>();
  const guardedFor = ({ url, networks, timeoutMs }: ExternalPoint): Guarded => {
    const allow = { loopback: isOfThisMachine(url), ranges: networks };
    const key = JSON.stringify([allow, timeoutMs]);
    const guarded = made.get(key) ?? createGuardedFetch({ ...egress, allow, timeoutMs, maxBytes: 64 * 1024 });
    made.set(key, guarded);
    return guarded;
  };
  life.onClose(async () => {
    await Promise.all([...made.values()].map((guarded) => guarded.close()));
  });
  return createExternalEngine({
    points: () => config().policy.external,
    tokenOf,
    ask: (point, request) => guardedFor(point).fetch(point.url, request),
    onTrouble: ({ name }, err) => log.warn({ err, point: name }, 'a policy decision point does not answer'),
  });
}
