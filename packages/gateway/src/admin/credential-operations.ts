import { GatewayError } from '@sallyport/core';
import type { JsonObject, JsonValue } from '@sallyport/protocol';
import { CredentialFailure } from '../credentials/failure.ts';
import type { ListedGrant, UpstreamCredentials } from '../credentials/index.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

/** What the operations on credentials for upstreams lean on. */
export interface CredentialOperationDeps {
  readonly credentials: Pick<UpstreamCredentials, 'connect' | 'list' | 'revoke'>;
}

const scope = 'admin:credentials';

const serviceName: JsonObject = {
  type: 'string',
  pattern: '^[a-z][a-z0-9-]{0,62}$',
  description: 'The name of the service in the configuration.',
};

const grantFacts: JsonObject = schemas.strictObject(
  {
    service: serviceName,
    issuer: { type: 'string', description: 'The authorization server that gave it.' },
    scopes: { type: 'array', items: { type: 'string' } },
    createdAt: { type: 'string', format: 'date-time' },
    renewedAt: { type: 'string', format: 'date-time' },
  },
  {
    subject: { type: 'string', description: "Whose it is. Absent: the gateway's own." },
    tenant: { type: 'string' },
  },
);

/** Connect, list and revoke what users granted to the gateway at upstreams. */
export function credentialOperations({ credentials }: CredentialOperationDeps): readonly Operation[] {
  return [connect(credentials), list(credentials), revoke(credentials)];
}

function connect(credentials: CredentialOperationDeps['credentials']): Operation {
  return {
    tool: changing('credentials.connect', scope, {
      description:
        'Asks for the consent that the gateway itself needs at a service: to see what it offers, or for all callers. Returns the address of a page to open in a browser, good for 15 minutes.',
      inputSchema: schemas.strictObject({ service: serviceName }),
      outputSchema: schemas.strictObject({ service: serviceName, url: { type: 'string' } }),
    }),
    handler: async ({ service }) => {
      const name = String(service);
      try {
        const url = await credentials.connect(name);
        if (url !== undefined) return { service: name, url };
      } catch (error) {
        if (!(error instanceof CredentialFailure)) throw error;
        throw new GatewayError('credential_unavailable', { issues: [error.message] }, { cause: error });
      }
      throw new GatewayError('not_found', { issues: ['/service: there is no service that users consent to'] });
    },
  };
}

function list(credentials: CredentialOperationDeps['credentials']): Operation {
  return {
    tool: reading('credentials.list', scope, {
      description: 'Lists what was granted to the gateway at services, without the tokens.',
      inputSchema: schemas.strictObject({}),
      outputSchema: schemas.strictObject({ credentials: { type: 'array', items: grantFacts } }),
    }),
    handler: async () => ({ credentials: (await credentials.list()).map(shown) }),
  };
}

function revoke(credentials: CredentialOperationDeps['credentials']): Operation {
  return {
    tool: changing('credentials.revoke', scope, {
      description:
        "Forgets what was granted at a service: by one subject, by all, or (with an empty subject) by the owner for the gateway itself. The service's authorization server is told.",
      inputSchema: schemas.strictObject(
        { service: serviceName },
        { subject: { type: 'string', maxLength: 500, description: 'Whose. Default: all of the service.' } },
      ),
      outputSchema: schemas.strictObject({ service: serviceName, revoked: { type: 'integer' } }),
      sideEffect: 'destructive',
      idempotent: true,
    }),
    handler: async ({ service, subject }) => {
      const which = { service: String(service), ...(typeof subject === 'string' && { subject }) };
      return { service: which.service, revoked: await credentials.revoke(which) };
    },
  };
}

function shown({ service, subject, tenant, issuer, scopes, createdAtMs, changedAtMs }: ListedGrant): JsonValue {
  return {
    service,
    ...(subject !== undefined && { subject }),
    ...(tenant !== undefined && { tenant }),
    ...{ issuer, scopes },
    createdAt: new Date(createdAtMs).toISOString(),
    renewedAt: new Date(changedAtMs).toISOString(),
  };
}
