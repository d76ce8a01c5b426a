import type { Registry } from '@sallyport/core';
import type { Logger } from 'pino';
import { createIsTrusted } from '../admission/index.ts';
import { entryText } from '../catalog/entry-text.ts';
import type { Sealer } from '../secrets/index.ts';
import { newCallId, newTrace } from '../telemetry/index.ts';
import type { TransportDeps } from '../transport/deps.ts';
import { createPatience, ordinaryWaitMs } from '../transport/waiting.ts';
import type { IdentityFacts } from './identity.ts';
import type { Plane } from './plane.ts';
import { version } from './version.ts';

/** What the transports in front of a plane need to know beside it. */
export interface ServingOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly maxRequestBytes: number;
  /** CIDRs. */
  readonly trustedProxies: readonly string[];
  readonly sealer: Sealer;
  /** How endpoints name things. Default: mounted alone a service uses its own names, everywhere else in full. */
  readonly nameStyle?: TransportDeps['nameStyle'];
  /** Default: every trace goes on as its caller has it, and none is kept here. */
  readonly newTrace?: TransportDeps['newTrace'] | undefined;
  readonly publicUrl?: string | undefined;
  readonly serverCards?: boolean;
  /** The longest that a caller is kept while its call waits for somebody, in milliseconds. Default: 20 seconds. */
  readonly waitMs?: (() => number) | undefined;
  /** Whether calls may have to wait for somebody: then clients are told that they may become tasks. Default: they do not. */
  readonly mayWait?: () => boolean;
  /** Default: nobody is told of authorization servers, and certificates say nothing. */
  readonly identity?: IdentityFacts;
}

const pageSize = 200;

const defaultStyle: TransportDeps['nameStyle'] = ({ kind }) => (kind === 'mount' ? 'own' : 'full');

/** What every transport is given, for one plane. */
export function transportDeps(plane: Plane, options: ServingOptions): TransportDeps {
  const { registry, log, nowMs, maxRequestBytes, sealer, nameStyle = defaultStyle } = options;
  return {
    pipeline: plane.pipeline,
    newCallId,
    newTrace: options.newTrace ?? newTrace,
    nowMs,
    serverInfo: { name: 'sallyport', version },
    log,
    maxRequestBytes,
    pageSize,
    trustedProxies: createIsTrusted(options.trustedProxies),
    ready: () => ({ ready: !registry.settling, services: plane.catalog.current().services.length }),
    entryText,
    nameStyle,
    sealer,
    ...(options.publicUrl !== undefined && { publicUrl: options.publicUrl }),
    serverCards: options.serverCards ?? false,
    patience: createPatience(options.waitMs ?? (() => ordinaryWaitMs), options.mayWait),
    ...options.identity,
  };
}
