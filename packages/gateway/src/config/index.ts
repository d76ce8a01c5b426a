export * from './gateway-config.ts';
export { ConfigError, formatProblem, type LoadedConfig, loadConfig } from './load.ts';
export type { Problem } from './source.ts';
