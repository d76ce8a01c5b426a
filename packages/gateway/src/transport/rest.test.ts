import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpTransport } from './http.ts';
import { send } from './testing/client.ts';
import { createRig, startHttp } from './testing/rig.ts';

const rig = createRig();
let http: HttpTransport;
let url: string;

beforeAll(async () => {
  ({ http, url } = await startHttp(rig));
});
afterAll(() => http.close(0));

function post(body: unknown, headers: Record<string, string> = {}) {
  return send(`${url}/mcp/call`, { body: typeof body === 'string' ? body : JSON.stringify(body), headers });
}

function get(query = '', headers: Record<string, string> = {}) {
  return send(`${url}/mcp/tools${query}`, { method: 'GET', headers });
}

describe('GET /mcp/tools', () => {
  it('lists what the caller may call, in order, with all it needs to know', async () => {
    const { status, body } = await get();
    expect(status).toBe(200);
    const names = body.tools.map(({ name }: { name: string }) => name);
    expect(names).toEqual([...names].sort());
    expect(names).not.toContain('blog.Posts.Hidden');
    expect(names).not.toContain('blog.Posts.Secret');
    expect(body.tools[0]).toMatchObject({
      ...{ name: 'blog.Posts.Create', alias: 'blog_Posts_Create', description: 'Creates a post.' },
      ...{ inputSchema: { type: 'object' }, scopes: ['posts:write'], service: 'blog' },
    });
  });

  it('answers 304 while nothing changed', async () => {
    const { headers } = await get();
    const again = await get('', { 'if-none-match': `"other", W/${headers.etag}` });
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', headers.etag]);
    expect((await get('', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('comes in pages when asked', async () => {
    const names: string[] = [];
    let cursor = '';
    do {
      const { body } = await get(`?limit=4${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      names.push(...body.tools.map(({ name }: { name: string }) => name));
      cursor = body.nextCursor ?? '';
    } while (cursor !== '');
    expect(names).toHaveLength(6);
  });

  it.each(['?limit=0', '?limit=x', '?limit=100000', '?cursor=nonsense'])('refuses %s', async (query) => {
    const { status, body } = await get(query);
    expect([status, body.error.reason]).toEqual([400, 'malformed_params']);
  });

  it('needs a token', async () => {
    const { status, body, headers } = await get('', { authorization: 'Bearer bad' });
    expect([status, body.error.code]).toEqual([401, 'unauthenticated']);
    expect(body.error.trace_id).toBe(headers['mcp-trace-id']);
  });
});

describe('POST /mcp/call', () => {
  it('answers with the structured content, exactly as the service wrote it', async () => {
    const reply = await post('{"tool":"blog.Posts.Read","input":{ "price": 1.50 }}');
    expect(reply.text).toContain('"result":{ "price": 1.50 }');
    expect(reply.body.trace_id).toBe(reply.headers['mcp-trace-id']);
    expect(rig.records.at(-1)).toMatchObject({ callId: reply.body.trace_id, origin: { transport: 'rest' } });
  });

  it('answers with the text where there is nothing structured', async () => {
    expect((await post({ tool: 'blog_Posts_Slow' })).body.result).toBe('done');
  });

  it.each([
    ['blog.Posts.Fail', 404, { code: 'not_found', reason: 'tool_error', message: 'no such post', retryable: false }],
    ['blog.Posts.Nothing', 404, { code: 'not_found', reason: 'unknown_tool' }],
    ['blog.Posts.Strict', 400, { code: 'invalid_argument', reason: 'invalid_input', issues: ['/title: is missing'] }],
    [
      'blog.Posts.Secret',
      403,
      { code: 'permission_denied', reason: 'insufficient_scope', scopes: ['a:read', 'b:read'] },
    ],
    ['blog.Posts.Limited', 429, { code: 'resource_exhausted', reason: 'rate_limited', retry_after_ms: 1500 }],
  ])('%s fails with %d', async (tool, status, error) => {
    const reply = await post({ tool, input: {} });
    expect(reply.status).toBe(status);
    expect(reply.body.error).toMatchObject({ ...error, trace_id: reply.headers['mcp-trace-id'] });
  });

  it.each([
    ['{', 400, 'malformed_json'],
    ['[]', 400, 'malformed_params'],
    ['{"tool":7}', 400, 'malformed_params'],
    ['{"tool":"blog.Posts.Read","input":[]}', 400, 'malformed_params'],
    ['{"tool":"blog.Posts.Read","tool":"blog.Posts.Secret"}', 400, 'malformed_request'],
    ['{"tool":"blog.Posts.Read","Input":{}}', 400, 'malformed_request'],
    [`{"tool":"blog.Posts.Read","input":{"x":"${'x'.repeat(70_000)}"}}`, 413, 'payload_too_large'],
  ])('%# refuses what cannot be read', async (body, status, reason) => {
    const reply = await post(body);
    expect([reply.status, reply.body.error.reason]).toEqual([status, reason]);
    expect(rig.records.at(-1)).toMatchObject({ verb: 'unreadable', reason });
  });

  it('takes JSON only', async () => {
    expect((await post('tool=x', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    expect((await send(`${url}/mcp/call`, { method: 'GET' })).status).toBe(405);
  });
});
