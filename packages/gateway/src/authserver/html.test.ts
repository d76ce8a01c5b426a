import { expect, it } from 'vitest';
import { headersOf, leadsTo } from './html.ts';

it.each([
  ['https://agent.example:8443/back', "'self' https://agent.example:8443;"],
  ['http://127.0.0.1:49152/callback', "'self' http://127.0.0.1:49152;"],
  ['http://[::1]:49152/callback', "'self' http:;"],
  ['com.example.agent:/back', "'self' com.example.agent:;"],
  ['https://a;script-src/back', "'self';"],
  ['https://a,default-src/back', "'self';"],
  ["https://a'unsafe-inline'/back", "'self';"],
  ['no address', "'self';"],
])('a page that leads to %s has a policy that says so, and nothing else that the address says', (redirect, forms) => {
  const headers = headersOf({ status: 200, title: '', main: '', leadsTo: leadsTo(redirect) });
  const policy = String(headers['Content-Security-Policy']);
  expect(policy).toContain(`form-action ${forms}`);
  expect(policy.split(';')).toHaveLength(5);
  expect(policy).not.toContain(',');
});
