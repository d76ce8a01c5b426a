import {
  addToResult,
  aliasOf,
  buildParams,
  callerErrorCode,
  createResultStamp,
  decodeHeaderValue,
  encodeHeaderValue,
  errorMessage,
  legacyToolEntry,
  metaKeys,
  mountNaming,
  notificationMessage,
  parseStrict,
  prefixNaming,
  readJsonRpc,
  readMessage,
  readResult,
  resultMessage,
  rewriteEntry,
  rewriteNotification,
  rewriteResult,
  type SplitParams,
  serverFault,
  spliceMembers,
  splitParams,
  subscriptionParams,
  toLegacyResult,
  toModernResult,
  urlQuestions,
} from '@sallyport/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSealer } from '../../packages/gateway/src/secrets/index.ts';

const blog = prefixNaming('blog');

function split(method: string, params: unknown): SplitParams {
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const parts = splitParams(parseStrict(text), method);
  if (parts.kind !== 'params') throw new Error(parts.issue);
  return parts;
}

/** What many servers behind one URL, and names that are not theirs, force a gateway to rewrite; and what it may not touch. */
describe('of what a gateway has to rewrite', () => {
  it('the id of a request: each side reads its own, exactly as it wrote it', () => {
    const ids = fc.oneof(fc.string(), fc.maxSafeInteger());
    fc.assert(
      fc.property(ids, fc.nat(), fc.nat(2), (id, ours, indent) => {
        fc.pre(typeof id !== 'string' || id.isWellFormed());
        const request = readJsonRpc(parseStrict(JSON.stringify({ jsonrpc: '2.0', id, method: 'x' }, null, indent)));
        const answer = readMessage(resultMessage(String(ours), '{"a":1.0}'));
        if (request.kind !== 'request' || answer.kind !== 'response' || 'error' in answer) throw new Error('unread');
        expect(answer.id).toBe(ours);
        expect(resultMessage(request.idText, answer.resultText)).toBe(
          `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"a":1.0}}`,
        );
      }),
    );
    expect(errorMessage('"a\\u0062"', { code: -32602, message: 'no' })).toContain('"id":"a\\u0062"');
  });

  it('the progress token: the server gets ours, the caller gets back its own', () => {
    const { progressToken, metaText } = split('tools/call', {
      name: 'a',
      _meta: { progressToken: 'theirs', 'vendor/x': 1 },
    });
    expect(progressToken).toBe('theirs');
    const params = buildParams({
      method: 'tools/call',
      name: 'a',
      argumentsText: '{}',
      metaText,
      meta: { progressToken: '41' },
    });
    expect(JSON.parse(params)._meta).toEqual({ progressToken: 41, 'vendor/x': 1 });
    const told = '{"progressToken":41,"progress":0.50,"message":"half"}';
    expect(spliceMembers(told, { progressToken: JSON.stringify(progressToken) })).toBe(
      '{"progressToken":"theirs","progress":0.50,"message":"half"}',
    );
  });

  it('the subscription id: that of the listening caller takes the place of ours', () => {
    const told = `{"uri":"a:b","_meta":{"${metaKeys.subscriptionId}":9,"vendor/x":1.0}}`;
    const named = rewriteNotification(blog, 'notifications/resources/updated', told);
    const restamped = addToResult(named, { defaults: {}, meta: { [metaKeys.subscriptionId]: '"listen-1"' } });
    expect(restamped).toBe(`{"uri":"blog+a:b","_meta":{"${metaKeys.subscriptionId}":"listen-1","vendor/x":1.0}}`);
    expect(subscriptionParams('listen-1')).toBe(`{"_meta":{"${metaKeys.subscriptionId}":"listen-1"}}`);
  });

  it('a name and the header that mirrors it: both change together, whatever the letters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(name.isWellFormed() && blog.nameOut(name).trim() === blog.nameOut(name));
        const remote = blog.nameIn(blog.nameOut(name));
        const params = buildParams({ method: 'tools/call', name: remote ?? '', argumentsText: '{}' });
        expect(decodeHeaderValue(encodeHeaderValue(remote ?? ''))).toBe(JSON.parse(params).name);
      }),
    );
  });

  it('a URI on the way in, and in what completion completes', () => {
    const read = split('resources/read', { uri: 'blog+file:///a' });
    expect(blog.uriIn(read.uri ?? '')).toBe('file:///a');
    const { ref, argumentsText } = split('completion/complete', {
      ref: { type: 'ref/resource', uri: 'blog+test://{id}' },
      argument: { name: 'id', value: '1' },
    });
    if (ref?.kind !== 'template') throw new Error('no template');
    const inside = { kind: 'template', uri: blog.uriIn(ref.uri) ?? '' } as const;
    expect(buildParams({ method: 'completion/complete', ref: inside, argumentsText })).toBe(
      '{"ref":{"type":"ref/resource","uri":"test://{id}"},"argument":{"name":"id","value":"1"}}',
    );
  });

  it.each([
    ['tools/call', '{"content":[{"type":"resource_link","uri":"a:b","name":"x"}]}'],
    ['tools/call', '{"content":[{"type":"resource","resource":{"uri":"a:b","text":"x"}}]}'],
    ['prompts/get', '{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:b","text":""}}}]}'],
    ['resources/read', '{"contents":[{"uri":"a:b","text":"a"}]}'],
    ['resources/list', '{"resources":[{"uri":"a:b","name":"x"}]}'],
    ['resources/templates/list', '{"resourceTemplates":[{"uriTemplate":"a:b/{c}","name":"x"}]}'],
    ['tasks/get', '{"taskId":"t","result":{"content":[{"type":"resource_link","uri":"a:b"}]}}'],
  ])('URIs in results of %s, and nothing else of %s', (method, text) => {
    expect(rewriteResult(blog, method, text)).toBe(text.replace('a:b', 'blog+a:b'));
    expect(rewriteResult(mountNaming('blog'), method, text)).toBe(text);
  });

  it('the app a tool is shown in: it keeps the scheme that hosts look for', () => {
    const entry = '{"name":"show","_meta":{"ui":{"resourceUri":"ui://card"},"ui/resourceUri":"ui://card"}}';
    expect(rewriteEntry(entry, { name: 'blog.show', naming: blog })).toBe(
      '{"name":"blog.show","_meta":{"ui":{"resourceUri":"ui://blog+card"},"ui/resourceUri":"ui://blog+card"}}',
    );
    expect(blog.uriIn('ui://blog+card')).toBe('ui://card');
  });

  it('the cursor, the state of a question, the id of a task: sealed, and of one use only', () => {
    const sealer = createSealer(Buffer.alloc(32, 1), () => 0);
    const claims = { service: 'blog', cursor: '' };
    const text = sealer.seal('cursor', claims, 1);
    expect(sealer.open('cursor', text)).toEqual(claims);
    for (const other of ['state', 'task']) expect(sealer.open(other, text)).toBeUndefined();
    const question =
      '{"resultType":"input_required","inputRequests":{"k": {"method":"roots/list"}},"requestState":"inner"}';
    expect(spliceMembers(question, { requestState: JSON.stringify(text) })).toBe(question.replace('inner', text));
    const { requestState, inputResponsesText } = split('tools/call', {
      name: 'a',
      requestState: text,
      inputResponses: { k: { roots: [] } },
    });
    expect(requestState).toBe(text);
    const state = 'inner';
    expect(
      buildParams({ method: 'tools/call', name: 'a', argumentsText: '{}', inputResponsesText, requestState: state }),
    ).toBe('{"inputResponses":{"k":{"roots":[]}},"requestState":"inner","name":"a","arguments":{}}');
  });

  it('how long a list keeps, and for whom: never more than the gateway can promise', () => {
    const text = '{"resultType":"complete","tools":[],"ttlMs":60000,"cacheScope":"public"}';
    expect(toModernResult('tools/list', text, { ttlMs: 1_000, cacheScope: 'private' })).toBe(
      '{"resultType":"complete","tools":[],"ttlMs":1000,"cacheScope":"private"}',
    );
    expect(toModernResult('tools/list', text, { ttlMs: 90_000, cacheScope: 'public' })).toBe(text);
  });

  it('who answers: the gateway, not the server behind it', () => {
    const stamp = createResultStamp('modern', { name: 'gate', version: '1' });
    const text = `{"content":[],"_meta":{"${metaKeys.serverInfo}":{"name":"behind"},"vendor/x":1.0}}`;
    const { _meta } = JSON.parse(stamp.service(text, 'c1'));
    expect(_meta).toMatchObject({ [metaKeys.serverInfo]: { name: 'gate', version: '1' }, 'vendor/x': 1 });
    expect(_meta[metaKeys.behind]).toEqual({ name: 'behind' });
  });

  it('who asks: the gateway says for itself what a client says of itself', () => {
    const { metaText, clientCapabilitiesText } = split('tools/call', {
      name: 'a',
      _meta: {
        [metaKeys.protocolVersion]: '2026-07-28',
        [metaKeys.clientInfo]: { name: 'caller' },
        [metaKeys.clientCapabilities]: { sampling: {} },
        traceparent: 'theirs',
        baggage: 'secret=1',
        'vendor/x': [1],
      },
    });
    expect(metaText).toBe('{"vendor/x":[1]}');
    expect(clientCapabilitiesText).toBe('{"sampling":{}}');
    const meta = { [metaKeys.clientInfo]: '{"name":"gate"}', [metaKeys.clientCapabilities]: '{}' };
    const params = buildParams({ method: 'tools/call', name: 'a', argumentsText: '{}', metaText, meta });
    expect(JSON.parse(params)._meta).toEqual({
      [metaKeys.clientInfo]: { name: 'gate' },
      [metaKeys.clientCapabilities]: {},
      'vendor/x': [1],
    });
  });

  it('errors about the hop: they are told apart and never relayed under their own codes', () => {
    for (const code of [-32020, -32021, -32022]) {
      expect(serverFault(code)).toMatch(/^hop_/);
      expect(callerErrorCode('modern', code)).toBe(-32603);
      expect(callerErrorCode('legacy', code)).toBe(-32603);
    }
  });

  it('errors of an old server: a modern caller gets the words of its own revision', () => {
    expect(callerErrorCode('modern', -32002)).toBe(-32602);
    expect(callerErrorCode('legacy', -32002)).toBe(-32002);
    const data = '{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://a.example","message":"m"}]}';
    expect(JSON.parse(urlQuestions(data) ?? '')).toEqual({
      resultType: 'input_required',
      inputRequests: {
        e: {
          method: 'elicitation/create',
          params: { mode: 'url', elicitationId: 'e', url: 'https://a.example', message: 'm' },
        },
      },
    });
  });

  it('results between eras: what one lacks is added, what the other cannot read is taken away', () => {
    const old = '{"contents":[{"uri":"a:b","text":"x"}],"_meta":{"vendor/x":1.0}}';
    const modern = toModernResult('resources/read', old);
    expect(JSON.parse(modern)).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' });
    expect(toLegacyResult('resources/read', modern)).toBe(old);
    expect(toModernResult('tools/call', '{"resultType":"task","taskId":"t"}')).toBe(
      '{"resultType":"task","taskId":"t"}',
    );
  });

  it('a call without arguments: the server gets an empty object, which all of them take', () => {
    const { name = '', argumentsText } = split('tools/call', { name: 'a' });
    expect(buildParams({ method: 'tools/call', name, argumentsText })).toBe('{"name":"a","arguments":{}}');
  });

  it('the names of tools for models that allow few letters', () => {
    expect(aliasOf(blog.nameOut('Posts.Create'))).toBe('blog_Posts_Create');
  });
});

describe('of what a gateway may not touch', () => {
  const schema =
    '{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"n":{"const":12345678901234567890},"uri":{"default":"a:b"}},"$defs":{"x":{"$anchor":"y"}},"x-vendor":1.0}';

  it('schemas, annotations and members nobody knows pass as they were written', () => {
    const rest = `"inputSchema":${schema},"annotations":{"readOnlyHint":true,"vendorHint":1.0},"icons":[{"src":"data:,"}],"vendorField":{"uri":"a:b"}`;
    const entry = rewriteEntry(`{"name":"a",${rest}}`, {
      name: 'blog.a',
      meta: { 'dev.sallyport/scopes': '[]' },
      naming: blog,
    });
    expect(entry).toBe(`{"_meta":{"dev.sallyport/scopes":[]},"name":"blog.a",${rest}}`);
    expect(legacyToolEntry(entry)).toBe(entry);
  });

  it('content of types that are not known yet, and what a tool puts into its own structure', () => {
    const text = `{"content":[{"type":"hologram","uri":"a:b","data":[1.0]}],"structuredContent":{"uri":"a:b","n":12345678901234567890},"vendor":${schema}}`;
    expect(rewriteResult(blog, 'tools/call', text)).toBe(text);
    expect(readResult(text)).toMatchObject({ kind: 'result', text });
    expect(toLegacyResult('tools/call', text)).toBe(text);
  });

  it('arguments: what is decided on is what the server gets, byte for byte', () => {
    const args = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(args, fc.nat(2), (value, indent) => {
        const argumentsText = JSON.stringify(value, null, indent).replaceAll('\n', ' ');
        const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":${argumentsText}}}`;
        let parts: ReturnType<typeof splitParams>;
        try {
          parts = splitParams(parseStrict(text), 'tools/call');
        } catch {
          // Numbers and names that not everybody reads the same are refused before.
          return;
        }
        if (parts.kind !== 'params') throw new Error(parts.issue);
        expect(parts.argumentsText).toBe(argumentsText);
        expect(buildParams({ method: 'tools/call', name: 'a', argumentsText: parts.argumentsText })).toBe(
          `{"name":"a","arguments":${argumentsText}}`,
        );
      }),
    );
  });

  it('vendor methods: params and results pass as they are', () => {
    const { argumentsText, metaText } = split('acme/do', { Level: 1, uri: 'a:b', _meta: { 'vendor/x': 1 } });
    expect(buildParams({ method: 'acme/do', argumentsText, metaText })).toBe(
      '{"_meta":{"vendor/x":1},"Level":1,"uri":"a:b"}',
    );
    expect(rewriteResult(blog, 'acme/do', '{"uri":"a:b","content":[]}')).toBe('{"uri":"a:b","content":[]}');
    expect(notificationMessage('acme/told', '{"uri":"a:b"}')).toContain('"params":{"uri":"a:b"}');
  });
});
