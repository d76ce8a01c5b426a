export type { Accounts, NewAccount } from './accounts.ts';
export { openState, type State, type StateOptions } from './state.ts';
export type { Rotation, TokenListing, TokenStore } from './tokens.ts';
