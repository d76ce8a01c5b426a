import type { CredentialAttack, HeaderAttack, NameAttack } from './attack.ts';

/** Headers that disagree with the body of a modern call, or come from where nobody is at home. Empty means left out. */
export const badHeaders: readonly HeaderAttack[] = [
  { name: 'another name', headers: { 'mcp-name': 'other.Tools.Echo' }, reason: 'header_mismatch' },
  { name: 'no name', headers: { 'mcp-name': '' }, reason: 'header_mismatch' },
  { name: 'a name in broken Base64', headers: { 'mcp-name': '=?base64?!!!?=' }, reason: 'header_mismatch' },
  { name: 'another method', headers: { 'mcp-method': 'tools/list' }, reason: 'header_mismatch' },
  { name: 'no method', headers: { 'mcp-method': '' }, reason: 'header_mismatch' },
  { name: 'no version', headers: { 'mcp-protocol-version': '' }, reason: 'header_mismatch' },
  { name: 'an older version', headers: { 'mcp-protocol-version': '2025-06-18' }, reason: 'header_mismatch' },
  { name: 'a parameter in broken Base64', headers: { 'mcp-param-x': '=?base64?a?=' }, reason: 'header_mismatch' },
  { name: 'a form', headers: { 'content-type': 'text/plain' }, reason: 'malformed_request', everywhere: true },
  {
    name: 'a foreign web page',
    headers: { origin: 'https://evil.example' },
    reason: 'origin_refused',
    everywhere: true,
  },
  { name: 'a sandboxed page', headers: { origin: 'null' }, reason: 'origin_refused', everywhere: true },
  { name: 'a rebound name', headers: { host: 'evil.example' }, reason: 'origin_refused', everywhere: true },
];

/** `Authorization` headers that prove nothing. */
export const badCredentials: readonly CredentialAttack[] = [
  { name: 'another scheme', authorization: 'Basic YWxpY2U6c2VjcmV0', reason: 'credential_missing' },
  { name: 'a scheme alone', authorization: 'Bearer', reason: 'credential_invalid' },
  { name: 'a token nobody has', authorization: 'Bearer nobody', reason: 'credential_invalid' },
  { name: 'two tokens', authorization: 'Bearer alice, Bearer owner', reason: 'credential_invalid' },
  { name: 'a token and a space', authorization: 'Bearer al ice', reason: 'credential_invalid' },
  { name: 'a token with a quote', authorization: 'Bearer "alice"', reason: 'credential_invalid' },
  { name: 'a name of every object', authorization: 'Bearer __proto__', reason: 'credential_invalid' },
];

/** Names that no tool has, some of which look as if they might. */
export const badNames: readonly NameAttack[] = [
  '',
  ' ',
  '*',
  '.',
  'lab',
  'lab.',
  'lab.Tools',
  'lab.tools.echo',
  'LAB.TOOLS.ECHO',
  'lab.Tools.Echo ',
  ' lab.Tools.Echo',
  'lab.Tools.Echo\u0000',
  'lab.Tools.Ech\u043e',
  'lab/Tools/Echo',
  '../lab.Tools.Echo',
  '__proto__',
  'constructor',
  'toString',
  'lab.__proto__',
  'x'.repeat(10_000),
].map((tool) => ({ name: tool === '' ? 'nothing' : tool.slice(0, 30), tool, reason: 'unknown_tool' }));
