import { GatewayError } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { fakePrincipal } from '@sallyport/testkit';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { entityTag, guard } from './guarded.ts';
import { openApiDocument } from './openapi.ts';
import { changing, type Operation, reading } from './operation.ts';
import * as schemas from './schemas.ts';

const context = { principal: fakePrincipal(), signal: new AbortController().signal };

function thing() {
  let revision = 'a';
  const operations: readonly Operation[] = [
    {
      tool: reading('policies.revisions', 'admin:policies', {
        description: 'Shows.',
        inputSchema: schemas.strictObject({}),
      }),
      handler: async () => ({ revision }),
    },
    {
      tool: changing('policies.rollback', 'admin:policies', {
        description: 'Changes.',
        inputSchema: schemas.strictObject({ revision: { type: 'string' } }),
      }),
      handler: async (args) => {
        await Promise.resolve();
        revision = String(args.revision);
        return { revision };
      },
    },
  ];
  const guarded = guard(operations);
  const call = (name: string, args: JsonObject) => {
    const operation = guarded.find(({ tool }) => tool.name === name);
    if (operation === undefined) throw new Error(name);
    return operation.handler(args, context);
  };
  return { guarded, call, now: () => revision };
}

const tagOf = (revision: string) => entityTag(JSON.stringify({ revision }));

describe('what is changed as it was seen', () => {
  it('is changed while it is as it was seen, and not afterwards', async () => {
    const { call, now } = thing();
    await call('policies.rollback', { revision: 'b', ifMatch: tagOf('a') });
    expect(now()).toBe('b');
    await expect(call('policies.rollback', { revision: 'c', ifMatch: tagOf('a') })).rejects.toThrow(
      new GatewayError('precondition_failed'),
    );
    expect(now()).toBe('b');
    await call('policies.rollback', { revision: 'c', ifMatch: `"other", ${tagOf('b')}` });
    await call('policies.rollback', { revision: 'd', ifMatch: '*' });
    await call('policies.rollback', { revision: 'e' });
    expect(now()).toBe('e');
  });

  it('is changed by one of many that saw the same', async () => {
    const { call } = thing();
    const attempts = Array.from({ length: 20 }, (_, index) =>
      call('policies.rollback', { revision: `r${index}`, ifMatch: tagOf('a') }),
    );
    const settled = await Promise.allSettled(attempts);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is described with everything that can be asked of it', () => {
    const { guarded } = thing();
    const document = openApiDocument(guarded);
    expect(document).toMatchObject({
      openapi: '3.1.0',
      paths: {
        '/admin/v1/policies.rollback': {
          post: {
            operationId: 'policies.rollback',
            'x-scopes': ['admin:policies'],
            parameters: [{ name: 'If-Match' }],
          },
        },
        '/admin/v1/policies.revisions': { post: { responses: { '200': { headers: { ETag: {} } } } } },
      },
    });
    const ajv = new Ajv2020({ strict: false });
    for (const { tool } of guarded) expect(() => ajv.compile(tool.inputSchema)).not.toThrow();
  });
});
