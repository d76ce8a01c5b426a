export type { Problem } from '../text/source.ts';
export * from './gateway-config.ts';
export { ConfigError, formatProblem, type LoadedConfig, loadConfig } from './load.ts';
export { loadTls, TlsError, type TlsMaterial, type WatchTlsOptions, watchTls } from './tls.ts';
export { type WatchConfigOptions, watchConfig } from './watch.ts';
export type { FileWatch } from './watch-files.ts';
