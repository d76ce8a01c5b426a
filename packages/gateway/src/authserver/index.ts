export { type AuthServerDeps, mountPath } from './parts.ts';
export { hashPassword, type PasswordCost } from './password.ts';
export type { AuthServer } from './server.ts';
export type { AuthServerSettings, ConfiguredClient, SecretSource, UpstreamProvider } from './settings.ts';
export { type DrawnSecret, drawTotpSecret } from './totp.ts';
