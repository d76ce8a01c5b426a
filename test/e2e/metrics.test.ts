import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startRun, type TestGateway, trialService } from './support/gateway.ts';
import { endAll, repository } from './support/program.ts';

afterEach(endAll);

async function call(gateway: TestGateway, tool: string, token = gateway.token): Promise<number> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return (
    await fetch(new URL('/mcp/call', gateway.mcp), {
      method: 'POST',
      headers,
      body: JSON.stringify({ tool, input: {} }),
    })
  ).status;
}

/** Names of metrics that a PromQL expression or a dashboard leans on. */
function metricsIn(text: string): string[] {
  return [...new Set(text.match(/\b(?:mcp|sallyport|nodejs|process)_[a-z0-9_]+(?=[{[\s)]|$)/g) ?? [])].filter(
    (name) => !/^(?:sallyport_(?:service|outcome)|mcp_method_name)$/.test(name),
  );
}

test('a gateway tells Prometheus what it did, and rules and dashboard ask for nothing that it does not tell', async () => {
  const limit = 'tools: { trials.Trial.Limited: { limit: { rate: 1, burst: 1 } } }\n';
  const gateway = await startRun(trialService('trials'), limit);
  const tool = 'trials.Trial.Limited';
  expect(await call(gateway, tool)).toBe(200);
  expect(await call(gateway, tool)).toBe(429);
  await call(gateway, 'trials.Nothing.Here');
  await call(gateway, tool, 'sp_wrong');
  const scraper = await gateway.mint('prometheus', ['admin:read']);
  const scrape = async (token?: string) =>
    fetch(new URL('/metrics', gateway.admin), {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    });
  expect((await scrape()).status).toBe(401);
  expect((await scrape(gateway.token)).status).toBe(403);
  const text = await (await scrape(scraper)).text();
  expect(text).toMatch(
    new RegExp(`_count\\{mcp_method_name="tools/call",sallyport_service="trials",gen_ai_tool_name="${tool}"`),
  );
  expect(text).toContain('sallyport_refusals_total{reason="unknown_tool",stage="resolve"} 1');
  expect(text).toMatch(/sallyport_refusals_total\{reason="credential_[a-z]+",stage="authenticate"\} \d/);
  expect(text).toContain('sallyport_limited_total{reason="rate_limited",sallyport_service="trials"} 1');
  expect(text).toContain('sallyport_decisions_total{effect="permit",shadow="permit",sallyport_service="trials"} 1');
  expect(text).toMatch(/^sallyport_approvals_waiting 0$/m);
  expect(text).toMatch(/^sallyport_audit_up 1$/m);
  expect(text).toMatch(/^sallyport_service_instances\{sallyport_service="trials".*\} 1$/m);
  expect(text).not.toContain('Nothing.Here');

  const rules = readFileSync(join(repository, 'deploy/prometheus/sallyport.rules.yml'), 'utf8');
  const expressions = parse(rules).groups.flatMap((group: { rules: { expr: string }[] }) =>
    group.rules.map(({ expr }) => expr),
  );
  const dashboard = JSON.parse(readFileSync(join(repository, 'deploy/grafana/sallyport.json'), 'utf8'));
  for (const panel of dashboard.panels) for (const { expr } of panel.targets) expressions.push(expr);
  const told = new Set(text.match(/^[a-z0-9_]+/gm));
  // What has not happened yet is not told yet.
  const yet = new Set(['sallyport_redactions_total', 'sallyport_notices_total']);
  const asked = metricsIn(expressions.join('\n'));
  expect(asked.length).toBeGreaterThan(8);
  expect(asked.filter((name) => !told.has(name) && !yet.has(name))).toEqual([]);
});
