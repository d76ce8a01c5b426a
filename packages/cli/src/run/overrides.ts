import { join, resolve } from 'node:path';
import type { GatewayConfig } from '@sallyport/gateway';

/** What the command line says instead of the configuration. */
export interface Overrides {
  readonly port?: number;
  readonly adminPort?: number;
  readonly data?: string;
}

/**
 * The configuration with what the command line says put in its place. Another data folder takes along what lies in or
 * beside it by default: the announce socket and the master key.
 */
export function withOverrides(config: GatewayConfig, { port, adminPort, data }: Overrides, cwd: string): GatewayConfig {
  const moved = data === undefined ? config : inFolder(config, resolve(cwd, data));
  return {
    ...moved,
    listen: { ...moved.listen, ...(port !== undefined && { port }) },
    admin: { ...moved.admin, ...(adminPort !== undefined && { port: adminPort }) },
  };
}

function inFolder(config: GatewayConfig, data: string): GatewayConfig {
  const isDefault = (path: string, fallback: string) => path === fallback;
  const socket = isDefault(config.announce.socket, join(config.data, 'hop.sock'))
    ? join(data, 'hop.sock')
    : config.announce.socket;
  const masterKeyFile = isDefault(config.masterKeyFile, join(`${config.data}-keys`, 'master.key'))
    ? join(`${data}-keys`, 'master.key')
    : config.masterKeyFile;
  return { ...config, data, masterKeyFile, announce: { ...config.announce, socket } };
}
