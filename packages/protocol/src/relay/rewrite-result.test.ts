import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mountNaming, prefixNaming } from './naming.ts';
import { rewriteEntry, rewriteNotification, rewriteQuestion, rewriteResult } from './rewrite-result.ts';

const blog = prefixNaming('blog');

describe('URIs in results', () => {
  it.each([
    [
      'tools/call',
      '{ "content":[ {"type":"resource_link","uri":"file:///a","name":"a"} , {"type":"text","text":"\\u00e9","uri":"x"} ],"n":12345678901234567890 }',
      '{ "content":[ {"type":"resource_link","uri":"blog+file:///a","name":"a"} , {"type":"text","text":"\\u00e9","uri":"x"} ],"n":12345678901234567890 }',
    ],
    [
      'tools/call',
      '{"content":[{"resource":{"text":"uri","uri":"ui://w","mimeType":"m"},"type":"resource","vendor":{"uri":"x"}}]}',
      '{"content":[{"resource":{"text":"uri","uri":"ui://blog+w","mimeType":"m"},"type":"resource","vendor":{"uri":"x"}}]}',
    ],
    [
      'tools/call',
      '{"structuredContent":{"uri":"x"},"content":[{"type":"new","uri":"x"}]}',
      '{"structuredContent":{"uri":"x"},"content":[{"type":"new","uri":"x"}]}',
    ],
    [
      'tools/call',
      '{"content":[{"type":"resource_link","\\u0075ri":"a:b"}]}',
      '{"content":[{"type":"resource_link","\\u0075ri":"blog+a:b"}]}',
    ],
    [
      'prompts/get',
      '{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:b","blob":""}}}]}',
      '{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"blog+a:b","blob":""}}}]}',
    ],
    [
      'prompts/get',
      '{"messages":[{"role":"user","content":[{"type":"resource_link","uri":"a:b"},7]},null]}',
      '{"messages":[{"role":"user","content":[{"type":"resource_link","uri":"blog+a:b"},7]},null]}',
    ],
    [
      'resources/read',
      '{"contents":[{"uri":"a:b","text":"{\\"uri\\":\\"a:b\\"}"},{"uri":"c:d","blob":"AA=="}]}',
      '{"contents":[{"uri":"blog+a:b","text":"{\\"uri\\":\\"a:b\\"}"},{"uri":"blog+c:d","blob":"AA=="}]}',
    ],
    ['resources/list', '{"resources":[{"uri":"a:b"}]}', '{"resources":[{"uri":"blog+a:b"}]}'],
    [
      'resources/templates/list',
      '{"resourceTemplates":[{"uriTemplate":"a:{b}"}]}',
      '{"resourceTemplates":[{"uriTemplate":"blog+a:{b}"}]}',
    ],
    [
      'tools/list',
      '{"tools":[{"name":"a","_meta":{"ui":{"resourceUri":"ui://a","csp":{}},"ui\\/resourceUri":"ui://a"},"inputSchema":{"properties":{"uri":{}}}}]}',
      '{"tools":[{"name":"a","_meta":{"ui":{"resourceUri":"ui://blog+a","csp":{}},"ui\\/resourceUri":"ui://blog+a"},"inputSchema":{"properties":{"uri":{}}}}]}',
    ],
    [
      'tasks/get',
      '{"taskId":"t","status":"completed","result":{"content":[{"type":"resource_link","uri":"a:b"}]}}',
      '{"taskId":"t","status":"completed","result":{"content":[{"type":"resource_link","uri":"blog+a:b"}]}}',
    ],
    [
      'tools/call',
      '{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"tool_result","content":[{"type":"resource_link","uri":"a:b"}]}}]}},"b":{"method":"elicitation/create","params":{"message":"uri","messages":[{"content":{"type":"resource_link","uri":"a:b"}}]}}}}',
      '{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"tool_result","content":[{"type":"resource_link","uri":"blog+a:b"}]}}]}},"b":{"method":"elicitation/create","params":{"message":"uri","messages":[{"content":{"type":"resource_link","uri":"a:b"}}]}}}}',
    ],
    ['vendor/any', '{"uri":"a:b","contents":[{"uri":"a:b"}]}', '{"uri":"a:b","contents":[{"uri":"a:b"}]}'],
    ['constructor', '{"uri":"a:b"}', '{"uri":"a:b"}'],
  ])('of %s change where the protocol has them and nowhere else: %s', (method, before, after) => {
    expect(rewriteResult(blog, method, before)).toBe(after);
    expect(rewriteResult(mountNaming('blog'), method, before)).toBe(before);
  });

  it.each([
    '[]',
    '7',
    'null',
    '"uri"',
    '{"content":{"uri":"a:b"}}',
    '{"content":[{"type":"resource_link","uri":1}]}',
    '{"content":[{"type":["resource_link"],"uri":"a:b"}]}',
    '{"content":[[{"type":"resource_link","uri":"a:b"}]]}',
    '{"content":[{"type":"__proto__","uri":"a:b"},"uri",true,false,null,-1.5e3,[],{}]}',
    '{"content":"uri\\"","_meta":{"uri":"a:b"}}',
  ])('are left alone in results of unexpected shape: %s', (text) => {
    expect(rewriteResult(blog, 'tools/call', text)).toBe(text);
  });
});

describe('URIs elsewhere', () => {
  it('change in notifications about resources and tasks', () => {
    expect(rewriteNotification(blog, 'notifications/resources/updated', '{"uri":"a:b","x":{"uri":"a:b"}}')).toBe(
      '{"uri":"blog+a:b","x":{"uri":"a:b"}}',
    );
    const task = '{"taskId":"t","result":{"content":[{"type":"resource_link","uri":"a:b"}]}}';
    expect(rewriteNotification(blog, 'notifications/tasks', task)).toBe(task.replace('a:b', 'blog+a:b'));
    expect(rewriteNotification(blog, 'notifications/message', '{"uri":"a:b"}')).toBe('{"uri":"a:b"}');
  });

  it('change in what a server wants a model to read', () => {
    const params = '{"messages":[{"role":"user","content":[{"type":"resource_link","uri":"a:b"}]}],"maxTokens":1}';
    expect(rewriteQuestion(blog, 'sampling/createMessage', params)).toBe(params.replace('a:b', 'blog+a:b'));
    expect(rewriteQuestion(blog, 'elicitation/create', params)).toBe(params);
    const all = '{"includeContext" : "allServers", "x":{"includeContext":"thisServer"}}';
    expect(rewriteQuestion(blog, 'sampling/createMessage', all)).toBe(all.replace('allServers', 'none'));
  });
});

describe('an entry of a list', () => {
  it('gets another name and more in its _meta, and keeps every other byte', () => {
    const entry = ' { "name" : "a", "inputSchema":{"const":12345678901234567890}, "_meta":{"v":1.0} }';
    expect(rewriteEntry(entry, { name: 'blog.a', meta: { 'dev.sallyport/scopes': '["x"]' } })).toBe(
      ' { "name" : "blog.a", "inputSchema":{"const":12345678901234567890}, "_meta":{"dev.sallyport/scopes":["x"],"v":1.0} }',
    );
  });

  it('gets a _meta where it has none, or none that is an object', () => {
    expect(rewriteEntry('{"uri":"a"}', { uri: 'b', meta: { x: '1' } })).toBe('{"_meta":{"x":1},"uri":"b"}');
    expect(rewriteEntry('{"_meta":[]}', { meta: { x: '1' } })).toBe('{"_meta":{"x":1}}');
  });

  it('stays as it is when nothing is asked for', () => {
    const entry = '{"name":"a","_meta":{"ui":{"resourceUri":"ui://a"}}}';
    expect(rewriteEntry(entry, {})).toBe(entry);
    expect(rewriteEntry(entry, { naming: mountNaming('blog'), meta: {} })).toBe(entry);
    expect(rewriteEntry(entry, { naming: blog })).toBe(entry.replace('ui://a', 'ui://blog+a'));
  });
});

describe('rewriting', () => {
  const vendor = fc.dictionary(
    fc.string().filter((key) => !['uri', '__proto__', 'resources', 'inputRequests'].includes(key)),
    fc.jsonValue({ maxDepth: 2 }),
    { maxKeys: 4 },
  );

  it('changes the listed fields and nothing else, whatever stands beside them', () => {
    const entry = fc.tuple(vendor, fc.string()).map(([rest, uri]) => ({ ...rest, uri }));
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), vendor, fc.nat(2), (resources, rest, indent) => {
        const before: any = { ...rest, resources };
        const text = JSON.stringify(before, null, indent);
        const after = rewriteResult(blog, 'resources/list', text);
        // The law, without text: the same change made on values.
        const renamed = { ...before, resources: resources.map((each) => ({ ...each, uri: blog.uriOut(each.uri) })) };
        expect(JSON.parse(after)).toEqual(JSON.parse(JSON.stringify(renamed)));
        expect(after.length - text.length).toBe('blog+'.length * resources.length);
      }),
    );
  });

  it('undone on the way in gives what came, for all content', () => {
    const text = fc.record({ type: fc.constant('text'), text: fc.string() });
    const link = fc.record({ type: fc.constant('resource_link'), uri: fc.webUrl(), vendor: fc.jsonValue() });
    const embedded = fc.record({
      type: fc.constant('resource'),
      resource: fc.record({ uri: fc.webUrl(), text: fc.string() }),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(text, link, embedded)), (content) => {
        const out = JSON.parse(rewriteResult(blog, 'tools/call', JSON.stringify({ content })));
        for (const block of out.content) {
          if (block.type === 'resource_link') block.uri = blog.uriIn(block.uri);
          if (block.type === 'resource') block.resource.uri = blog.uriIn(block.resource.uri);
        }
        expect(out).toEqual(JSON.parse(JSON.stringify({ content })));
      }),
    );
  });

  it('gives back the very same text where there is nothing to rename', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify({ content: [{ type: 'text', text: 'security' }], value });
        expect(rewriteResult(blog, 'tools/call', text)).toBe(text);
      }),
    );
  });
});
