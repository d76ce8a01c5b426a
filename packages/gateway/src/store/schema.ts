import type { ColumnType, Generated } from 'kysely';

/** What may be left out when a row is added. */
type Optional<Value> = ColumnType<Value | null, Value | null | undefined, Value | null>;

/** The tables of the state, as queries see them; times in milliseconds since the epoch. `migrations.ts` makes them. */
export interface StateSchema {
  readonly accounts: AccountRow;
  readonly tokens: TokenRow;
  readonly users: UserRow;
  readonly oauth_records: OAuthRecordRow;
  readonly oauth_keys: KeyRow;
  readonly intents: IntentRow;
  readonly revocations: RevocationRow;
  readonly assertion_keys: KeyRow;
  readonly upstream_grants: UpstreamGrantRow;
  readonly upstream_clients: UpstreamClientRow;
  readonly credential_changes: { readonly only_row: number; readonly count: number };
  readonly containments: ContainmentRow;
  readonly answered: { readonly account: string; readonly tool: string; readonly at_ms: number };
  readonly approvals: ApprovalRow;
  readonly policy_revisions: RevisionRow;
  readonly policy_changes: RevisionChangeRow;
  readonly tool_definitions: ToolDefinitionRow;
  /** What is so of the whole store. */
  readonly store_facts: { readonly name: string; readonly value: string };
}

/** How a tool took its arguments at some time. */
export interface ToolDefinitionRow {
  readonly tool: string;
  readonly definition_hash: string;
  /** JSON Schema, as text. */
  readonly input_schema: string;
  readonly seen_at_ms: number;
}

/** Who owns tokens. */
export interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly tenant: Optional<string>;
  readonly created_at_ms: number;
  readonly disabled_at_ms: Optional<number>;
}

/** The gateway's own tokens. */
export interface TokenRow {
  readonly id: string;
  readonly account_id: string;
  readonly label: string;
  /** JSON: an array of strings. */
  readonly scopes: string;
  readonly secret_hash: string;
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
  readonly revoked_at_ms: Optional<number>;
}

/** Who signs in with a password. */
export interface UserRow {
  readonly account_id: string;
  readonly password_hash: string;
  /** JSON: an array of strings. */
  readonly scopes: string;
  readonly totp: Optional<string>;
  readonly totp_step: Generated<number>;
  readonly changed_at_ms: number;
}

/** What the authorization server keeps. */
export interface OAuthRecordRow {
  readonly model: string;
  readonly id: string;
  readonly grant_id: Optional<string>;
  readonly uid: Optional<string>;
  readonly payload: string;
  readonly consumed_at_ms: Optional<number>;
  readonly expires_at_ms: Optional<number>;
}

/** A key that signs, sealed. */
export interface KeyRow {
  readonly kid: string;
  readonly sealed: string;
  readonly created_at_ms: number;
}

/** Intents, with what is left of them. */
export interface IntentRow {
  readonly id: string;
  /** JSON: ids of itself and of those it was made from. */
  readonly lineage: string;
  /** JSON: all of it that does not change. */
  readonly stored: string;
  readonly sealed_message: Optional<string>;
  readonly calls_left: number;
  readonly asked: Generated<number>;
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
  readonly revoked_at_ms: Optional<number>;
}

/** What was taken back of tokens of others. */
export interface RevocationRow {
  readonly epoch: Generated<number>;
  readonly issuer: string;
  readonly kind: string;
  readonly value: string;
  readonly at_ms: number;
}

/** What was granted at authorization servers of upstreams. */
export interface UpstreamGrantRow {
  readonly user: string;
  readonly upstream: string;
  readonly issuer: string;
  readonly sealed: string;
  readonly scope: string;
  readonly created_at_ms: number;
  readonly changed_at_ms: number;
}

/** Which client the gateway is at one of them. */
export interface UpstreamClientRow {
  readonly upstream: string;
  readonly issuer: string;
  readonly redirect_uri: string;
  readonly sealed: string;
  readonly created_at_ms: number;
}

/** What an operator blocked. */
export interface ContainmentRow {
  readonly id: string;
  readonly kind: string;
  readonly value: string;
  readonly reason: Optional<string>;
  readonly ordered_by: string;
  readonly at_ms: number;
  readonly expires_at_ms: Optional<number>;
  readonly lifted_by: Optional<string>;
  readonly lifted_at_ms: Optional<number>;
}

/** Approvals of single calls. */
export interface ApprovalRow {
  readonly id: string;
  readonly call_key: string;
  readonly binding_key: string;
  readonly state: string;
  readonly reserved_from: Optional<string>;
  readonly told: number;
  readonly account: string;
  readonly tool: string;
  readonly tenant: Optional<string>;
  /** JSON, as the two below that are not text. */
  readonly binding: string;
  readonly policies: string;
  readonly call_id: string;
  readonly votes: string;
  readonly sealed: string;
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
  readonly changed_at_ms: number;
}

/** Policies as they were at a time. */
export interface RevisionRow {
  readonly id: string;
  /** JSON: names and texts. */
  readonly files: string;
  readonly settings: string;
  readonly retired: Generated<number>;
}

/** Which of them came into force when. */
export interface RevisionChangeRow {
  readonly seq: Generated<number>;
  readonly revision: string;
  readonly before: Optional<string>;
  readonly kind: string;
  readonly changed_by: string;
  readonly at_ms: number;
  readonly reason: Optional<string>;
}
