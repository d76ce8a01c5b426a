import type { Endpoint } from '@sallyport/core';
import type { AdminHttpDeps } from '../admin/index.ts';
import { boundHostsOf } from '../admission/index.ts';
import type { GatewayConfig } from '../config/index.ts';
import type { BuiltIn } from './authserver.ts';
import { type AgentListener, listenForAgents } from './listen.ts';
import { listenForOwner } from './owner.ts';
import type { Plane } from './plane.ts';
import { nameStyleOf } from './views.ts';

/** What both listeners are made of. */
export interface ListeningParts extends Omit<AgentListener, 'config' | 'nameStyle' | 'waitMs'> {
  /** What is read from the configuration anew after each reload; learns where agents connect. */
  readonly live: { readonly config: GatewayConfig; boundHosts: readonly string[]; url: URL | undefined };
  readonly owner: Plane;
  readonly isReady: () => boolean;
  readonly readAnswer: AdminHttpDeps['readAnswer'];
  readonly builtIn: BuiltIn | undefined;
}

/** Where the gateway listens. */
export interface Listening {
  readonly mcpUrl: string;
  readonly adminUrl: string | undefined;
}

/** Listens for agents and for the owner. @throws Error when a port or a file cannot be used. */
export async function listenForAll(parts: ListeningParts): Promise<Listening> {
  const { live, owner, isReady, readAnswer, builtIn, ...common } = parts;
  const { plane, nowMs, life, newTrace } = common;
  const { config } = live;
  const url = await listenForAgents({
    ...common,
    config,
    nameStyle: (endpoint: Endpoint) => nameStyleOf(live.config)(endpoint),
    waitMs: () => live.config.approvals.waitMs,
  });
  live.url = url;
  await builtIn?.start(plane);
  live.boundHosts = boundHostsOf(config.listen.host);
  const admin = await listenForOwner({ config, plane: owner, isReady, nowMs, newTrace, readAnswer });
  life.onClose(admin.close);
  return { mcpUrl: url.href, adminUrl: admin.url };
}
