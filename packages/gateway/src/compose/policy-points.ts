import type { PolicyEngine } from '@sallyport/core';
import type { Logger } from 'pino';
import { createExternalEngine } from '../authorization/external.ts';
import type { GatewayConfig } from '../config/index.ts';
import { createReadSecret } from '../credentials/index.ts';
import type { Guarded, GuardedConnectorOptions } from '../egress/index.ts';
import type { ExternalPoint } from '../policy/config.ts';
import { readPrivateFile } from '../secrets/private-file.ts';
import { createGuards, isOfThisMachine } from './guarded.ts';
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
  const guardFor = createGuards({ life, egress });
  const guardedFor = ({ url, networks, timeoutMs }: ExternalPoint): Guarded =>
    guardFor({ allow: { loopback: isOfThisMachine(url), ranges: networks }, timeoutMs, maxBytes: 64 * 1024 });
  return createExternalEngine({
    points: () => config().policy.external,
    tokenOf,
    ask: (point, request) => guardedFor(point).fetch(point.url, request),
    onTrouble: ({ name }, err) => log.warn({ err, point: name }, 'a policy decision point does not answer'),
  });
}
