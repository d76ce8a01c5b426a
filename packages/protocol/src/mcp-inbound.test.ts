import { describe, expect, it } from 'vitest';
import type { JsonObject } from './json.ts';
import type { JsonRpcNotification, JsonRpcRequest } from './json-rpc.ts';
import { metaKeys } from './mcp.ts';
import { classifyInbound, readParamHeaders, type WireHeaders } from './mcp-inbound.ts';

const envelope = { [metaKeys.protocolVersion]: '2026-07-28', [metaKeys.clientCapabilities]: {} };

function request(method: string, params?: JsonObject): JsonRpcRequest {
  return { kind: 'request', id: 1, idText: '1', method, ...(params && { params }) };
}

function headers(values: Record<string, string>): WireHeaders {
  return { get: (name) => values[name], names: () => Object.keys(values) };
}

function outcome(message: JsonRpcRequest | JsonRpcNotification, sent?: Record<string, string>): string {
  const { era, problem } = classifyInbound(message, sent && headers(sent));
  return problem === undefined ? era : `${era} ${problem.kind}`;
}

const listHeaders = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
const callHeaders = { ...listHeaders, 'mcp-method': 'tools/call', 'mcp-name': 'a.B.C' };
const call = request('tools/call', { name: 'a.B.C', _meta: envelope });

describe('classification', () => {
  it.each<[string, JsonRpcRequest, Record<string, string> | undefined, string]>([
    ['a handshake', request('initialize', { protocolVersion: '2025-11-25' }), {}, 'legacy'],
    ['a handshake under a modern header', request('initialize'), listHeaders, 'legacy header_mismatch'],
    ['a handshake with a modern envelope', request('initialize', { _meta: envelope }), undefined, 'modern'],
    ['a request without a claim', request('tools/list'), {}, 'legacy'],
    ['one that names its legacy revision', request('tools/list'), { 'mcp-protocol-version': '2025-06-18' }, 'legacy'],
    [
      'one that names an unknown old revision',
      request('ping'),
      { 'mcp-protocol-version': '2001-01-01' },
      'legacy version_unsupported',
    ],
    ['a modern header without an envelope', request('tools/list'), listHeaders, 'modern malformed_params'],
    ['a modern request', request('tools/list', { _meta: envelope }), listHeaders, 'modern'],
    ['the same where there are no headers', call, undefined, 'modern'],
    ['a modern call', call, callHeaders, 'modern'],
    [
      'an encoded name',
      call,
      { ...callHeaders, 'mcp-name': `=?base64?${Buffer.from('a.B.C').toString('base64')}?=` },
      'modern',
    ],
    ['white space round a name', call, { ...callHeaders, 'mcp-name': ' a.B.C\t' }, 'modern'],
    ['another name', call, { ...callHeaders, 'mcp-name': 'a.b.c' }, 'modern header_mismatch'],
    ['a name that cannot be decoded', call, { ...callHeaders, 'mcp-name': '=?base64?!?=' }, 'modern header_mismatch'],
    ['two names', call, { ...callHeaders, 'mcp-name': 'a.B.C, a.B.C' }, 'modern header_mismatch'],
    ['no name', call, { ...listHeaders, 'mcp-method': 'tools/call' }, 'modern header_mismatch'],
    ['another method', call, { ...callHeaders, 'mcp-method': 'tools/list' }, 'modern header_mismatch'],
    ['no method', call, { 'mcp-protocol-version': '2026-07-28', 'mcp-name': 'a.B.C' }, 'modern header_mismatch'],
    ['no version header', call, { 'mcp-method': 'tools/call', 'mcp-name': 'a.B.C' }, 'modern header_mismatch'],
    [
      'another version in the header',
      call,
      { ...callHeaders, 'mcp-protocol-version': '2025-11-25' },
      'modern header_mismatch',
    ],
    [
      'a claim without capabilities',
      request('tools/list', { _meta: { [metaKeys.protocolVersion]: '2026-07-28' } }),
      listHeaders,
      'modern malformed_params',
    ],
    [
      'a claim that is no text',
      request('tools/list', { _meta: { ...envelope, [metaKeys.protocolVersion]: 7 } }),
      listHeaders,
      'modern malformed_params',
    ],
    [
      'a claim of an unknown revision',
      request('x', { _meta: { ...envelope, [metaKeys.protocolVersion]: '2030-01-01' } }),
      { 'mcp-protocol-version': '2030-01-01' },
      'modern version_unsupported',
    ],
  ])('knows %s', (_name, message, sent, expected) => {
    expect(outcome(message, sent)).toBe(expected);
  });

  it('asks no headers of notifications', () => {
    const message: JsonRpcNotification = {
      kind: 'notification',
      method: 'notifications/x',
      params: { _meta: envelope },
    };
    expect(outcome(message, {})).toBe('modern');
    expect(outcome({ kind: 'notification', method: 'notifications/x' }, listHeaders)).toBe('modern header_mismatch');
  });

  it('names the supported revisions when one is not', () => {
    const message = request('x', { _meta: { ...envelope, [metaKeys.protocolVersion]: '2030-01-01' } });
    expect(classifyInbound(message).problem).toMatchObject({
      requested: '2030-01-01',
      supported: expect.arrayContaining(['2026-07-28']),
    });
  });
});

it('reads mirrored parameters, or says that one is broken', () => {
  const good = readParamHeaders(headers({ 'mcp-param-region': 'eu', 'mcp-param-city': '=?base64?w5g=?=', host: 'x' }));
  expect([...(good ?? [])]).toEqual([
    ['region', 'eu'],
    ['city', 'Ø'],
  ]);
  expect(readParamHeaders(headers({ 'mcp-param-city': '=?base64?w5g?=' }))).toBeUndefined();
});
