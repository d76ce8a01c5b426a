import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../json.ts';
import { parseStrict } from '../strict-json.ts';
import { buildParams, splitParams } from './params.ts';

function split(method: string, paramsText: string | undefined) {
  const params = paramsText === undefined ? '' : `,"params":${paramsText}`;
  return splitParams(parseStrict(`{"jsonrpc":"2.0","id":1,"method":${JSON.stringify(method)}${params}}`), method);
}

describe('the params of a request', () => {
  it('of a tool are its name, its arguments as they were written, and what is said in _meta', () => {
    const text = `{ "name":"a" , "arguments" : { "n" : 1.0 , "e":"\\u00e9" } , "_meta" : { "progressToken": 7,
      "io.modelcontextprotocol/protocolVersion":"2026-07-28", "io.modelcontextprotocol/clientCapabilities": { "roots":{} },
      "io.modelcontextprotocol/clientInfo":{"name":"c"}, "io.modelcontextprotocol/logLevel":"info", "traceparent":"x",
      "dev.sallyport/traceId":"forged", "vendor/x": 1.50 }, "vendor":[1.0], "requestState":"s", "inputResponses":{"a": {} } }`;
    expect(split('tools/call', text)).toEqual({
      kind: 'params',
      name: 'a',
      argumentsText: '{ "n" : 1.0 , "e":"\\u00e9" }',
      requestState: 's',
      inputResponsesText: '{"a": {} }',
      progressToken: 7,
      logLevel: 'info',
      clientCapabilitiesText: '{ "roots":{} }',
      clientInfoText: '{"name":"c"}',
      metaText: expect.stringMatching(/^\{\s*"vendor\/x": 1\.50\s*\}$/),
      restText: expect.stringMatching(/^\{\s*"vendor":\[1\.0\]\s*\}$/),
    });
  });

  it('never hold the token of a message, wherever it would go', () => {
    expect(JSON.stringify(split('tools/call', '{"name":"a","_token":"secret","x":1}'))).not.toContain('secret');
    expect(JSON.stringify(split('tasks/get', '{"taskId":"a","_token":"secret"}'))).not.toContain('secret');
    expect(JSON.stringify(split('vendor/x', '{"a":1,"_token":"secret"}'))).not.toContain('secret');
  });

  it('are on one line each, whatever lines they were sent on', () => {
    const text = '{"name":"a",\r\n"arguments":{\n"x":\r"\\n"},"_meta":{"v":\n1},"more":[\n]}';
    expect(split('tools/call', text)).toMatchObject({
      argumentsText: '{ "x": "\\n"}',
      metaText: '{"v": 1}',
      restText: expect.stringMatching(/^[^\r\n]*$/),
    });
  });

  it('may be next to nothing', () => {
    expect(split('tools/call', '{"name":"a"}')).toEqual({
      kind: 'params',
      name: 'a',
      argumentsText: '{}',
      clientCapabilitiesText: '{}',
    });
    expect(split('vendor/x', undefined)).toEqual({ kind: 'params', argumentsText: '{}', clientCapabilitiesText: '{}' });
  });

  it.each([
    ['resources/read', '{"uri":"a:\\u0062","_meta":{}}', { uri: 'a:b', argumentsText: '{"uri":"a:\\u0062"}' }],
    [
      'completion/complete',
      '{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"x","value":1.0},"context":{"arguments":{}}}',
      {
        ref: { kind: 'prompt', name: 'p' },
        argumentsText: '{"argument":{"name":"x","value":1.0},"context":{"arguments":{}}}',
      },
    ],
    [
      'completion/complete',
      '{"argument":{},"ref":{"type":"ref/resource","uri":"a:{b}","name":"x"}}',
      { ref: { kind: 'template', uri: 'a:{b}' }, argumentsText: '{"argument":{}}' },
    ],
    [
      'tasks/update',
      '{"_meta":{"v":1},"taskId":"t","inputResponses":{"a":{}}}',
      { taskId: 't', argumentsText: '{"taskId":"t","inputResponses":{"a":{}}}', metaText: '{"v":1}' },
    ],
    ['vendor/x', '{"a":1.0,"_meta":{},"b":2}', { argumentsText: '{"a":1.0,"b":2}' }],
  ])('of %s, %s', (method, text, expected) => {
    expect(split(method, text)).toEqual({ kind: 'params', clientCapabilitiesText: '{}', ...expected });
  });

  it.each([
    ['tools/call', '{}', '/params/name: is missing'],
    ['tools/call', undefined, '/params/name: is missing'],
    ['tools/call', '{"name":1}', '/params/name: must be a string'],
    ['resources/read', '{"uri":"file:///a\\u0000b"}', '/params/uri: has a control character'],
    ['tools/call', '{"name":"a","arguments":[]}', '/params/arguments: must be an object'],
    ['tools/call', '{"name":"a","arguments":null}', '/params/arguments: must be an object'],
    ['tools/call', '{"name":"a","inputResponses":"x"}', '/params/inputResponses: must be an object'],
    ['tools/call', '{"name":"a","requestState":{}}', '/params/requestState: must be a string'],
    ['tools/call', '{"name":"a","_meta":[]}', '/params/_meta: must be an object'],
    [
      'tools/call',
      '{"name":"a","_meta":{"progressToken":1.5}}',
      '/params/_meta/progressToken: must be a string or an integer',
    ],
    [
      'tools/call',
      '{"name":"a","_meta":{"io.modelcontextprotocol/logLevel":"loud"}}',
      expect.stringContaining('/params/_meta/io.modelcontextprotocol~1logLevel: must be one of debug, info'),
    ],
    ['resources/read', '{"name":"a"}', '/params/uri: is missing'],
    ['resources/read', '{"uri":"file:///a\\nb"}', '/params/uri: has a control character'],
    ['completion/complete', '{"ref":"a"}', '/params/ref: must be an object'],
    [
      'completion/complete',
      '{"ref":{"type":"ref/tool","name":"a"}}',
      expect.stringContaining('/params/ref: must be {'),
    ],
    ['tasks/get', '{"taskId":["a"]}', '/params/taskId: must be a string'],
  ])('of %s are malformed when they are %s', (method, text, issue) => {
    expect(split(method, text)).toEqual({ kind: 'malformed_params', issue });
  });

  it.each([
    ['tools/call', '{"name":"a","InputResponses":{}}', '/params/InputResponses'],
    ['tools/call', '{"name":"a","requeſtState":"x"}', '/params/requeſtState'],
    ['completion/complete', '{"ref":{"type":"ref/prompt","name":"a","Name":"b"},"argument":{}}', '/params/ref/Name'],
    ['completion/complete', '{"ref":{"type":"ref/prompt","name":"a"},"Ref":{}}', '/params/Ref'],
    ['tasks/get', '{"taskId":"a","taskid":"b"}', '/params/taskid'],
    ['tools/call', '{"name":"a","_meta":{"ProgressToken":1}}', '/params/_meta/ProgressToken'],
    ['tools/call', '{"name":"a","_meta":{"TraceParent":""}}', '/params/_meta/TraceParent'],
    [
      'tools/call',
      '{"name":"a","_meta":{"IO.modelcontextprotocol/clientCapabilities":{}}}',
      '/params/_meta/IO.modelcontextprotocol/clientCapabilities',
    ],
    ['vendor/x', '{"_meta":{"Dev.Sallyport/traceId":1}}', '/params/_meta/Dev.Sallyport/traceId'],
  ])('of %s are refused when another reader may read them otherwise: %s', (method, text, pointer) => {
    expect(split(method, text)).toMatchObject({ kind: 'malformed_request', issue: expect.stringContaining(pointer) });
  });

  it('of a method that is not known may be named as its inventor likes', () => {
    expect(split('vendor/x', '{"TaskId":1,"Ref":2}')).toMatchObject({ argumentsText: '{"TaskId":1,"Ref":2}' });
  });
});

describe('params for a server', () => {
  const base = { argumentsText: '{"a": 1.0}' };

  it('are put together from parts, the arguments as they are', () => {
    expect(buildParams({ ...base, method: 'tools/call', name: 'é' })).toBe('{"name":"é","arguments":{"a": 1.0}}');
    expect(
      buildParams({
        ...base,
        method: 'prompts/get',
        name: 'p',
        requestState: 's',
        inputResponsesText: '{"k": {}}',
        metaText: '{"v": 1.0}',
        meta: { progressToken: '3' },
      }),
    ).toBe(
      '{"inputResponses":{"k": {}},"requestState":"s","_meta":{"progressToken":3,"v": 1.0},"name":"p","arguments":{"a": 1.0}}',
    );
    expect(buildParams({ method: 'resources/read', argumentsText: '{"uri":"a:b"}', requestState: 's' })).toBe(
      '{"requestState":"s","uri":"a:b"}',
    );
    const ref = { kind: 'template', uri: 'a:{b}' } as const;
    expect(buildParams({ method: 'completion/complete', argumentsText: '{"argument":{}}', ref })).toBe(
      '{"ref":{"type":"ref/resource","uri":"a:{b}"},"argument":{}}',
    );
    expect(buildParams({ method: 'vendor/x', argumentsText: '{"a": 1.0}', meta: {} })).toBe('{"a": 1.0}');
  });

  it('never let members beside the arguments replace what was decided on', () => {
    const text = buildParams({
      ...base,
      method: 'tools/call',
      name: 'a',
      restText: '{"name":"b","arguments":{},"v":1.0}',
    });
    expect(text).toBe('{"v":1.0,"name":"a","arguments":{"a": 1.0}}');
  });

  it('say what the caller said but for what each hop says for itself, whatever it was', () => {
    const key = fc.stringMatching(/^[a-z0-9/]{1,8}$/);
    const vendor = fc.dictionary(key, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });
    const cases = fc.oneof(
      fc.record({
        method: fc.constantFrom('tools/call', 'prompts/get'),
        params: fc.record({ name: fc.string(), arguments: vendor }),
      }),
      fc.record({ method: fc.constant('resources/read'), params: fc.record({ uri: fc.string() }) }),
      fc.record({
        method: fc.constant('completion/complete'),
        params: fc.record({
          ref: fc.record({ type: fc.constant('ref/prompt'), name: fc.string() }),
          argument: vendor,
          context: vendor,
        }),
      }),
      fc.record({ method: fc.constant('vendor/x'), params: vendor }),
    );
    fc.assert(
      fc.property(cases, vendor, vendor, fc.nat(2), ({ method, params }, rest, meta, indent) => {
        const _meta = { ...meta, progressToken: 'p', 'io.modelcontextprotocol/clientCapabilities': { roots: {} } };
        const sent: Record<string, unknown> = { ...rest, ...params, _meta };
        const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: sent }, null, indent);
        let parts: ReturnType<typeof splitParams>;
        try {
          parts = splitParams(parseStrict(text), method);
        } catch {
          // A number or string that the strict parser refuses.
          return;
        }
        fc.pre(parts.kind === 'params');
        const { name, ref, argumentsText, metaText, restText } = parts;
        const built = buildParams({
          method,
          argumentsText,
          metaText,
          restText,
          ...(name !== undefined && { name }),
          ...(ref && { ref }),
        });
        const left = Object.keys(meta).length === 0 ? {} : { _meta: meta };
        const { _meta: _gone, ...others } = sent;
        expect(JSON.parse(built)).toEqual(JSON.parse(JSON.stringify({ ...others, ...left })) as JsonValue);
        if (name !== undefined) expect(text.replaceAll('\n', ' ')).toContain(argumentsText);
      }),
    );
  });
});
