/** What is used of `oidc-provider`, which comes without types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

  /** What Koa hands to middleware, as far as it is read here. */
  export interface Context {
    readonly path: string;
    readonly method: string;
    readonly ip: string;
    querystring: string;
    readonly req: IncomingMessage & { originalUrl?: string };
    status: number;
    type: string;
    body: unknown;
    set(name: string, value: string): void;
    get(name: string): string;
    readonly oidc: OidcContext;
  }

  export interface OidcContext {
    readonly route: string;
    readonly client?: Client;
    readonly account?: { readonly accountId: string };
    readonly grant: Grant;
    readonly session?: SessionModel;
    readonly params?: Readonly<Record<string, unknown>>;
    readonly body?: Readonly<Record<string, unknown>>;
    readonly result?: Readonly<Record<string, unknown>>;
    readonly requestParamScopes: ReadonlySet<string>;
    readonly resourceServers: Readonly<Record<string, { readonly scopes: ReadonlySet<string> }>>;
    readonly entities: Readonly<
      Record<string, { readonly scopes?: ReadonlySet<string>; readonly accountId?: string } | undefined>
    >;
  }

  export interface Client {
    readonly clientId: string;
    readonly clientName?: string;
    readonly applicationType?: string;
    readonly clientAuthMethod?: string;
    readonly redirectUris: readonly string[];
    grantTypeAllowed(type: string): boolean;
  }

  export interface SessionModel {
    readonly uid: string;
    readonly accountId?: string;
    readonly loginTs?: number;
    readonly acr?: string;
    destroy(): Promise<void>;
  }

  export interface Grant {
    readonly jti: string;
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    getResourceScope(resource: string): string;
    save(): Promise<string>;
  }

  export interface Interaction {
    readonly uid: string;
    readonly returnTo: string;
    readonly prompt: { readonly name: string; readonly reasons: readonly string[] };
    readonly params: Readonly<Record<string, unknown>>;
    readonly session?: { readonly uid: string; readonly accountId?: string };
    readonly grantId?: string;
  }

  export class Provider {
    constructor(issuer: string, configuration: object);
    proxy: boolean;
    readonly issuer: string;
    readonly Client: { find(id: string): Promise<Client | undefined> };
    readonly Session: {
      findByUid(uid: string): Promise<SessionModel | undefined>;
      get(context: { readonly req: IncomingMessage; readonly res: ServerResponse }): Promise<SessionModel>;
    };
    readonly Grant: {
      new (owner: { readonly accountId: string; readonly clientId: string }): Grant;
      find(id: string): Promise<Grant | undefined>;
    };
    readonly AccessToken: new (facts: {
      readonly accountId: string;
      readonly client: Client | undefined;
      readonly grantId: string;
      readonly gty: string;
    }) => { resourceServer: object; scope: string; readonly expiration: number; save(): Promise<string> };
    readonly ResourceServer: new (
      identifier: string,
      info: object,
    ) => object;
    registerGrantType(name: string, handler: (context: Context) => Promise<void>, parameters: readonly string[]): void;
    callback(): RequestListener;
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): this;
    on(event: string, listener: (...details: never[]) => void): this;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
    interactionResult(
      request: IncomingMessage,
      response: ServerResponse,
      result: object,
      options?: { readonly mergeWithLastSubmission?: boolean },
    ): Promise<string>;
  }

  export class Check {
    constructor(
      reason: string,
      description: string,
      error: string,
      check: (context: Context) => boolean | Promise<boolean>,
      details?: (context: Context) => object,
    );
  }

  interface Prompt {
    readonly name: string;
    readonly checks: { add(check: Check): void; remove(reason: string): void };
  }

  export const interactionPolicy: {
    readonly Check: typeof Check;
    base(): { get(name: string): Prompt };
  };

  type DescribedError = new (description: string) => Error;

  export const errors: Readonly<
    Record<
      | 'AccessDenied'
      | 'InvalidClientMetadata'
      | 'InvalidGrant'
      | 'InvalidRequest'
      | 'InvalidTarget'
      | 'SessionNotFound',
      DescribedError
    >
  >;

  export default Provider;
}
