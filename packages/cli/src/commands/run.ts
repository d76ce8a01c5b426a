import { fileURLToPath } from 'node:url';
import type { GatewayConfig, LoadedConfig, RunningGateway } from '@sallyport/gateway';
import { type Context, configPath, print, printJson } from '../context.ts';
import { withOverrides } from '../run/overrides.ts';
import { type Ready, readyLine, readyText } from '../run/report.ts';
import { createRunLog, type RunLog } from '../run/run-log.ts';
import { untilServersAnswer } from '../run/servers.ts';
import { createTraffic, showStatus, type Traffic } from '../run/status-line.ts';
import { nodeFlags, type OwnRuntime, ownRuntime } from '../supervisor/command.ts';
import { followConfig } from '../supervisor/follow-config.ts';
import { runCredentials, servicePlans } from '../supervisor/plans.ts';
import type { RuntimeFolder } from '../supervisor/runtime-folder.ts';
import { createSupervisor, type Rotation, type Supervisor } from '../supervisor/supervisor.ts';
import { createScreen, type Screen } from '../terminal/screen.ts';

/** Options of `sallyport run`. */
export interface RunOptions {
  readonly config?: string;
  readonly port?: number;
  readonly adminPort?: number;
  readonly data?: string;
  readonly watch: boolean;
  readonly json?: boolean;
}

interface Running {
  readonly options: RunOptions;
  readonly context: Context;
  readonly gateway: RunningGateway;
  readonly runtime: OwnRuntime;
  readonly runtimeFolder: RuntimeFolder;
  readonly screen: Screen;
  readonly log: RunLog;
  readonly traffic: Traffic;
  /** Resolves when the process is asked to end. */
  readonly stopped: Promise<NodeJS.Signals>;
}

interface Config {
  readonly loaded: LoadedConfig;
  readonly load: () => Promise<LoadedConfig>;
}

const startTimeoutMs = 20_000;

/** Runs the gateway and the services of a configuration until the process is asked to end. */
export async function run(options: RunOptions, context: Context): Promise<void> {
  const { createLogger, loadConfig, startGateway } = await import('@sallyport/gateway');
  const { refuseIfRunning } = await import('../run/already-running.ts');
  const { createRuntimeFolder } = await import('../supervisor/runtime-folder.ts');
  const load = async () => {
    const loaded = await loadConfig(configPath(context, options.config));
    return { ...loaded, config: withOverrides(loaded.config, options, context.cwd) };
  };
  const loaded = await load();
  await refuseIfRunning(loaded.config);
  const ended = new AbortController();
  const stopped = context.untilStopped(ended.signal);
  const screen = createScreen(options.json ? context.stderr : context.stdout);
  const log = createRunLog(screen, Object.keys(loaded.config.services), styleOf(options, context));
  const traffic = createTraffic(performance.now());
  const runtimeFolder = createRuntimeFolder(loaded.config.data);
  try {
    const gateway = await startGateway({
      config: loaded.config,
      runCredentials: runCredentials(loaded.config, runtimeFolder),
      log: createLogger({ level: 'info', destination: log.gatewayStream }),
      onRecord: (record) => traffic.count(record),
    });
    const runtime = ownRuntime(import.meta.url, process.execPath);
    await runServices(
      { options, context, gateway, runtime, runtimeFolder, screen, log, traffic, stopped },
      { loaded, load },
    );
  } finally {
    ended.abort();
    screen.close();
    runtimeFolder.remove();
  }
}

async function runServices(run: Running, { loaded, load }: Config): Promise<void> {
  const { gateway, log, stopped, options } = run;
  const supervisor = createSupervisor({
    rotation: rotationOf(gateway),
    tell: log.tell,
    startTimeoutMs,
    hotReload: options.watch,
  });
  const closing: (() => void)[] = [];
  try {
    const started = start(run, supervisor, loaded.config);
    if ((await Promise.race([started, stopped])) !== undefined) return;
    if (options.watch) closing.push(followConfig(loaded, { load, ...following(run, supervisor) }).close);
    closing.push(showStatus({ ...run, config: loaded.config, style: styleOf(options, run.context) }));
    log.say(`${await stopped}: ending`);
  } finally {
    for (const close of closing) close();
    await supervisor.stop();
    await gateway.close();
  }
}

async function start(run: Running, supervisor: Supervisor, config: GatewayConfig): Promise<void> {
  await supervisor.start(plansOf(run, config));
  const silent = await untilServersAnswer(run.gateway, config);
  if (silent.length > 0) run.log.say(silentText(silent));
  const ready = await whatIsReady(run);
  if (run.options.json) printJson(run.context, readyLine(ready));
  else print(run.context, readyText(ready, run.context.style));
}

function silentText(names: readonly string[]): string {
  const later = 'what they offer is there when they answer, but the token has no scopes of theirs';
  return `no answer yet from ${names.join(', ')}: ${later}`;
}

async function whatIsReady({ gateway, runtime }: Running): Promise<Ready> {
  const { mcpUrl, adminUrl } = gateway;
  const token = await gateway.mintRunToken('services');
  const main = fileURLToPath(new URL(runtime.fromSource ? '../main.ts' : '../main.js', import.meta.url));
  const bridge = [runtime.execPath, ...nodeFlags(runtime), main, 'mcp'];
  return { mcpUrl, adminUrl, token, bridge, services: gateway.services(), tools: gateway.toolCounts() };
}

function following(run: Running, supervisor: Supervisor) {
  return {
    onChange: async ({ config }: LoadedConfig) => {
      const restart = run.gateway.reload(config, { runCredentials: runCredentials(config, run.runtimeFolder) });
      run.log.say('the changed configuration is in force');
      if (restart.length > 0) run.log.say(`but for ${restart.join(', ')}: that takes a restart`);
      await supervisor.apply(plansOf(run, config));
    },
    onError: (error: unknown) => {
      run.gateway.refused(error);
      const text = error instanceof Error ? error.message : String(error);
      run.log.say(`the changed configuration cannot be used; the one before stays in force\n${text}`);
    },
  };
}

function plansOf({ runtimeFolder, runtime, context }: Running, config: GatewayConfig) {
  return servicePlans({ config, runtimeFolder, runtime, env: context.env });
}

function styleOf({ json }: RunOptions, { style, errorStyle }: Context) {
  return json ? errorStyle : style;
}

function rotationOf(gateway: RunningGateway): Rotation {
  return {
    instances: (name) => {
      const found = gateway.services().find((service) => service.name === name);
      // One that defines its tools anew is kept out until the one before it leaves: it has announced itself all the same.
      return found === undefined || found.state === 'stale' ? 0 : found.instances + found.keptOut;
    },
    onChange: gateway.onChange,
  };
}
