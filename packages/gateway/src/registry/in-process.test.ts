import { GatewayError } from '@sallyport/core';
import { describe, expect, it } from 'vitest';
import { type UpstreamUnderTest, upstreamContract } from '../upstream/testing/contract.ts';
import { callUpstream, contractTool, fateOf } from '../upstream/testing/contract-call.ts';
import { inProcessService } from './in-process.ts';
import { fakeManifest } from './testing/fake-service.ts';

const tool = (name: string) => ({ name, description: '', inputSchema: { type: 'object' } });

async function start(): Promise<UpstreamUnderTest> {
  let cancelled = 0;
  const names = ['Echo', 'Fail', 'Hang', 'Large', 'Progress'].map((name) => `Contract.${name}`);
  const echo = (args: object) => ({ content: [{ type: 'text', text: JSON.stringify(args) }] });
  const { upstream } = inProcessService(fakeManifest('contract', { tools: names.map(tool) }), {
    'Contract.Echo': echo,
    'Contract.Fail': () => ({ content: [{ type: 'text', text: 'no' }], isError: true }),
    'Contract.Hang': (_args, { signal }) => {
      signal.addEventListener('abort', () => {
        cancelled += 1;
      });
      return new Promise(() => undefined);
    },
    'Contract.Large': (args) => ({ content: [{ type: 'text', text: 'x'.repeat(Number(args.size)) }] }),
    'Contract.Progress': (args, { onProgress }) => {
      onProgress?.({ progress: 1 });
      onProgress?.({ progress: 2 });
      return echo(args);
    },
  });
  return {
    upstream,
    tool: (name) => contractTool('contract', name),
    arrived: () => undefined,
    cancelled: () => cancelled,
    close: () => upstream.close(),
  };
}

describe('a service in this process', () => {
  for (const { name, run } of upstreamContract) it(name, () => run(start));

  it('answers with the output as text and as structured content', async () => {
    const { upstream } = inProcessService(fakeManifest('math'), {
      'Test.Echo': ({ a }) => ({ double: Number(a) * 2 }),
    });
    const answer = await callUpstream(upstream, { tool: contractTool('math', 'Test.Echo'), argumentsText: '{"a":4}' });
    expect(JSON.parse(answer.text)).toEqual({
      content: [{ type: 'text', text: '{"double":8}' }],
      structuredContent: { double: 8 },
    });
  });

  it('lets a handler refuse in the words of the gateway, and keeps other errors to itself', async () => {
    const service = (thrown: Error) =>
      inProcessService(fakeManifest('math'), {
        'Test.Echo': () => {
          throw thrown;
        },
      }).upstream;
    const call = (thrown: Error) => fateOf(callUpstream(service(thrown), { tool: contractTool('math', 'Test.Echo') }));
    expect(await call(new GatewayError('conflict'))).toBe('conflict');
    expect(await call(new Error('secret'))).toBe('upstream_failed');
  });

  it('cannot be made with a tool that has no handler', () => {
    expect(() => inProcessService(fakeManifest('math'), {})).toThrow('Test.Echo');
  });
});
