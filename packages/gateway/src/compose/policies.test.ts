import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** Runs a module of its own, and says whether Cedar was loaded. */
function loadsCedar(policies: string): string {
  const program = `
    import { createRequire } from 'node:module';
    import { callbackAuditLog, createGateway, fixedRegistry, inProcessService, parsePolicies } from '@sallyport/gateway';
    const tools = [{ name: 'Get', description: 'Gets.', inputSchema: { type: 'object' } }];
    const gateway = createGateway({
      registry: fixedRegistry([inProcessService({ service: 'a', version: '1.0.0', tools }, { Get: () => ({}) })]),
      authenticators: [{ authenticate: () => ({ subject: 'x', client: 'c', kind: 'agent', scopes: [], attributes: {}, method: 'm', credentialId: 'i' }) }],
      audit: callbackAuditLog(() => undefined),
      policies: { source: await parsePolicies(${policies}), settings: { default: 'scopes', attributes: {} } },
    });
    await gateway.call({ token: 't', tool: 'a.Get', input: {} });
    const { cache } = createRequire(import.meta.url);
    console.log(Object.keys(cache).some((file) => file.includes('cedar')));
    await gateway.close();`;
  const flags = ['--conditions=sallyport-source', '--disable-warning=ExperimentalWarning', '--input-type=module'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', program], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return stdout.trim() || stderr;
}

describe('a gateway', () => {
  it('does not load Cedar as long as nobody has policies', () => {
    expect(loadsCedar('[]')).toBe('false');
  });

  it('does with the first of them', () => {
    expect(loadsCedar(`[{ name: 'x.policy.yaml', text: 'tool: a.Get' }]`)).toBe('true');
  });
});
