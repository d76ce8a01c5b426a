export type { Accounts, NewAccount } from './accounts.ts';
export type { IntentStore } from './intents.ts';
export type { KeptRecord, OAuthKey, OAuthRecord, OAuthStore } from './oauth.ts';
export type { Revocation, RevocationKind, RevocationStore } from './revocations.ts';
export { openState, type State, type StateOptions } from './state.ts';
export type { Rotation, TokenListing, TokenStore } from './tokens.ts';
export type { GrantName, UpstreamClient, UpstreamGrant, UpstreamGrants } from './upstream-grants.ts';
export type { User, UserListing, Users } from './users.ts';
