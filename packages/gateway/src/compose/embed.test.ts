import { type AuditRecord, type Authenticator, GatewayError, notResponsible, type RefusalCount } from '@sallyport/core';
import { fakePrincipal } from '@sallyport/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { hasProblems, parsePolicies } from '../policy/source.ts';
import { fixedRegistry, inProcessService } from '../registry/in-process.ts';
import { callbackAuditLog, createGateway, type Gateway, type GatewayOptions } from './embed.ts';

const opened: Gateway[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((gateway) => gateway.close()));
});

const tasks = inProcessService(
  {
    service: 'tasks',
    version: '1.0.0',
    tools: [
      { name: 'TaskService.Create', description: 'Create.', inputSchema: { type: 'object' }, scopes: ['tasks:write'] },
      { name: 'TaskService.List', description: 'List.', inputSchema: { type: 'object' }, sideEffect: 'read' },
    ],
  },
  { 'TaskService.Create': ({ title }) => ({ created: title ?? null }), 'TaskService.List': () => ({ tasks: [] }) },
);

const byTable: Authenticator = {
  authenticate: ({ presented }) => {
    if (presented.kind !== 'bearer') return notResponsible;
    if (presented.token === 'writer') return fakePrincipal({ subject: 'writer', scopes: ['tasks:write'] });
    if (presented.token === 'reader') return fakePrincipal({ subject: 'reader' });
    throw new GatewayError('credential_invalid');
  },
};

function embedded(options: Partial<GatewayOptions> = {}): {
  gateway: Gateway;
  records: (AuditRecord | RefusalCount)[];
} {
  const records: (AuditRecord | RefusalCount)[] = [];
  const audit = callbackAuditLog((record) => void records.push(record));
  const gateway = createGateway({ registry: fixedRegistry([tasks]), authenticators: [byTable], audit, ...options });
  opened.push(gateway);
  return { gateway, records };
}

describe('a gateway inside a program', () => {
  it('calls, lists and records like any other', async () => {
    const { gateway, records } = embedded();
    const call = { token: 'writer', tool: 'tasks.TaskService.Create', input: { title: 'x' } };
    expect(await gateway.call(call)).toMatchObject({ result: { created: 'x' }, isError: false });
    const names = (await gateway.listTools({ token: 'reader' })).map((tool) => tool.name);
    expect(names).toEqual(['tasks.TaskService.List']);
    expect(records).toMatchObject([
      { subject: 'writer', tool: 'tasks.TaskService.Create', outcome: 'answered', origin: { transport: 'embedded' } },
      { subject: 'reader', verb: 'list', outcome: 'answered' },
    ]);
  });

  it('is not made with a tool policy that would let everybody in by asking for something', async () => {
    const source = await parsePolicies([{ name: 'a.policy.yaml', text: 'tool: tasks.*\nlimit: 5 per 1h\n' }]);
    if (hasProblems(source)) throw new Error(source.problems[0]?.message);
    const settings = { default: 'deny', attributes: {} } as const;
    expect(() => embedded({ policies: { source, settings } })).toThrow('a.policy.yaml:2:1 limit goes with allowed');
    const { gateway } = embedded({ policies: { source, settings: { ...settings, default: 'scopes' } } });
    expect(await gateway.listTools({ token: 'reader' })).toHaveLength(1);
  });

  it('lets nobody in when it was given no authenticator', async () => {
    const { gateway } = embedded({ authenticators: [] });
    const call = { token: 'writer', tool: 'tasks.TaskService.List' };
    await expect(gateway.call(call)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('refuses input that is no JSON, and records that', async () => {
    const { gateway, records } = embedded();
    const call = { token: 'reader', tool: 'tasks.TaskService.List', input: { a: 1n } as never };
    await expect(gateway.call(call)).rejects.toMatchObject({ reason: 'malformed_json' });
    expect(records).toMatchObject([{ subject: 'reader', outcome: 'refused', reason: 'malformed_json' }]);
  });

  it('gives no answer when its audit log fails', async () => {
    const audit = callbackAuditLog(() => Promise.reject(new Error('full')));
    const { gateway } = embedded({ audit });
    const call = { token: 'reader', tool: 'tasks.TaskService.List' };
    await expect(gateway.call(call)).rejects.toMatchObject({ reason: 'audit_unavailable' });
  });

  it('tells the callback of frozen records without arguments', async () => {
    const told: object[] = [];
    const { gateway } = embedded({ onRecord: (record) => void told.push(record) });
    await gateway.call({ token: 'writer', tool: 'tasks.TaskService.Create', input: { title: 's3cret' } });
    await new Promise(setImmediate);
    expect(told).toHaveLength(1);
    expect(Object.isFrozen(told[0])).toBe(true);
    expect(JSON.stringify(told)).not.toContain('s3cret');
  });

  it('replaces scopes and limits by pattern', async () => {
    const { gateway } = embedded({
      tools: [
        { pattern: '*.Create', scopes: ['boss'] },
        { pattern: 'tasks.*', limit: { perPrincipal: { rate: 0.001, burst: 1 } } },
      ],
    });
    const create = { token: 'writer', tool: 'tasks.TaskService.Create' };
    await expect(gateway.call(create)).rejects.toMatchObject({
      reason: 'insufficient_scope',
      details: { scopes: ['boss'] },
    });
    const list = { token: 'reader', tool: 'tasks.TaskService.List' };
    await gateway.call(list);
    await expect(gateway.call(list)).rejects.toMatchObject({ reason: 'rate_limited' });
  });

  it('serves HTTP, but beyond this machine only with TLS or a named proxy in front', async () => {
    const { gateway } = embedded();
    await expect(gateway.listen({ host: '0.0.0.0', port: 0 })).rejects.toThrow('pass tls or name the proxies');
    const url = await gateway.listen({ port: 0 });
    const response = await fetch(`${url.href}/tools`, { headers: { authorization: 'Bearer reader' } });
    expect(response.status).toBe(200);
  });
});
