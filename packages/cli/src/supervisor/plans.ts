import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AnnounceCredential, GatewayConfig, ServiceConfig } from '@sallyport/gateway';
import { type OwnRuntime, resolveCommand } from './command.ts';
import { childEnvironment } from './environment.ts';
import type { RuntimeFolder } from './runtime-folder.ts';
import type { ServicePlan } from './supervisor.ts';

type CommandService = Extract<ServiceConfig, { readonly kind: 'command' }>;

/** Where the plans come from. */
export interface PlanSources {
  readonly config: GatewayConfig;
  readonly runtimeFolder: RuntimeFolder;
  readonly runtime: OwnRuntime;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The services of a configuration that `sallyport run` starts: those with a `command`. */
export function commandServices(config: GatewayConfig): readonly (readonly [string, CommandService])[] {
  return Object.entries(config.services).flatMap(([name, service]) =>
    service.kind === 'command' ? [[name, service] as const] : [],
  );
}

/** The credentials with which they announce themselves, for the gateway. */
export function runCredentials(config: GatewayConfig, folder: RuntimeFolder): readonly AnnounceCredential[] {
  return commandServices(config).map(([name]) => folder.credential(name).credential);
}

/** How to run each of them. Makes each a data folder of its own, told as `SALLYPORT_DATA`. */
export function servicePlans(sources: PlanSources): readonly ServicePlan[] {
  return commandServices(sources.config).map(([name, service]) => toPlan(name, service, sources));
}

function toPlan(
  name: string,
  service: CommandService,
  { config, runtimeFolder, runtime, env }: PlanSources,
): ServicePlan {
  const data = join(config.data, 'services', name);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const given = {
    SALLYPORT_HOP: `unix:${config.announce.socket}`,
    SALLYPORT_CREDENTIAL_FILE: runtimeFolder.credential(name).file,
    SALLYPORT_DATA: data,
  };
  return {
    name,
    dependsOn: service.dependsOn,
    instances: service.instances,
    watch: service.watch,
    process: {
      command: resolveCommand(service.command, runtime),
      cwd: service.cwd,
      env: childEnvironment({ own: env, declared: service.env, given }),
    },
  };
}
