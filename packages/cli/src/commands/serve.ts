import { type Context, configPath, printJson } from '../context.ts';
import { followConfig } from '../supervisor/follow-config.ts';

/** Options of `sallyport serve`. */
export interface ServeOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** Runs the gateway alone until the process is asked to end. Starts no service and prints no secret. */
export async function serve(options: ServeOptions, context: Context): Promise<void> {
  const { createLogger, loadConfig, startGateway, wantsColour } = await import('@sallyport/gateway');
  const { refuseIfRunning } = await import('../run/already-running.ts');
  const load = () => loadConfig(configPath(context, options.config));
  const loaded = await load();
  await refuseIfRunning(loaded.config);
  const ended = new AbortController();
  const stopped = context.untilStopped(ended.signal);
  const log = createLogger({ level: 'info', pretty: !options.json && wantsColour(process.stderr, context.env) });
  try {
    const gateway = await startGateway({ config: loaded.config, log });
    const follower = followConfig(loaded, {
      load,
      onChange: async ({ config }) => {
        const restart = await gateway.reload(config);
        log.info({ ...(restart.length > 0 && { needRestart: restart }) }, 'the changed configuration is in force');
      },
      onError: (err) => {
        gateway.refused(err);
        log.error({ err }, 'the changed configuration cannot be used; the one before stays in force');
      },
    });
    try {
      const { mcpUrl: mcp, adminUrl: admin } = gateway;
      log.info({ mcp, admin }, 'serving');
      if (options.json) printJson(context, { event: 'ready', mcp, admin });
      log.info({ signal: await stopped }, 'ending');
    } finally {
      follower.close();
      await gateway.close();
    }
  } finally {
    ended.abort();
  }
}
