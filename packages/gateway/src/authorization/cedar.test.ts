import type { AccessRequest, Tool } from '@sallyport/core';
import { fakeTool } from '@sallyport/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import type { PolicySet } from '../policy/revision.ts';
import { hasProblems, parsePolicies } from '../policy/source.ts';
import type { PolicyProblem } from '../policy/types.ts';
import { createCedarEngine } from './cedar.ts';

async function setOf(
  files: Readonly<Record<string, string>>,
  byDefault: 'scopes' | 'deny' = 'scopes',
): Promise<PolicySet> {
  const source = await parsePolicies(Object.entries(files).map(([name, text]) => ({ name, text })));
  if (hasProblems(source)) throw new Error(JSON.stringify(source.problems));
  return { source, settings: { default: byDefault, attributes: {} } };
}

const schemaOf = (type: string) => ({ type: 'object', properties: { n: { type } }, required: ['n'] });
const tool = (name: string, type = 'integer'): Tool =>
  fakeTool({ name, definitionHash: type, inputSchema: schemaOf(type) });

let tools: readonly Tool[] = [];
let told: (readonly PolicyProblem[])[] = [];
beforeEach(() => {
  tools = [tool('a.B')];
  told = [];
});
const engineOf = (set: PolicySet) =>
  createCedarEngine(set, { catalog: () => ({ tools }), onProblems: (problems) => void told.push(problems) });

function ask(name: string, n: number, more: Partial<AccessRequest['resource']> = {}): AccessRequest {
  return {
    subject: { subject: 'alice', client: 'c', kind: 'agent', scopes: [], attributes: {} },
    action: 'invoke',
    resource: {
      ...{ type: 'tool', id: name, service: 'a', definitionHash: 'integer', sideEffect: 'write' },
      ...{ classification: 'internal', risk: 'low', internal: false, owner: 'o', ...more },
    },
    context: { method: 'tools/call', timeMs: 0, transport: 'http', arguments: { n } },
  };
}

const atMostFive = { 'x.policy.yaml': 'tool: "a.*"\narguments: { n: { max: 5 } }' };

describe('the engine', () => {
  it('has no opinion where there are no policies, or denies where that is the default', async () => {
    expect(engineOf(await setOf({})).decide(ask('a.B', 6))).toEqual({ effect: 'abstain', policies: [] });
    expect(engineOf(await setOf({}, 'deny')).decide(ask('a.B', 1))).toMatchObject({ effect: 'deny', policies: [] });
  });

  it('knows tools that came after it, at their first call', async () => {
    const engine = engineOf(await setOf(atMostFive));
    expect(engine.decide(ask('a.B', 6))).toMatchObject({ effect: 'deny', policies: ['x/a.B/n'] });
    tools = [...tools, tool('a.New', 'number')];
    expect(engine.decide(ask('a.New', 5.5, { definitionHash: 'number' }))).toMatchObject({ policies: ['x/a.New/n'] });
    expect(engine.decide(ask('a.New', 4.5, { definitionHash: 'number' }))).toMatchObject({ effect: 'permit' });
  });

  it('denies a call of a tool that went meanwhile: nobody made policies for it', async () => {
    const engine = engineOf(await setOf(atMostFive));
    expect(engine.decide(ask('a.Gone', 1))).toMatchObject({ effect: 'deny', policies: [] });
  });

  it('denies a call by a definition that there is not any more', async () => {
    const engine = engineOf(await setOf(atMostFive));
    const decided = engine.decide(ask('a.B', 1, { definitionHash: 'older' }));
    expect(decided).toMatchObject({ effect: 'deny', errors: ['x/a.B/n'] });
  });

  it('says once what cannot be said of a tool, and refuses its calls', async () => {
    tools = [tool('a.B', 'string')];
    const engine = engineOf(await setOf(atMostFive));
    for (let calls = 0; calls < 3; calls++) {
      const decided = engine.decide({ ...ask('a.B', 1, { definitionHash: 'string' }) });
      expect(decided).toMatchObject({ effect: 'deny', policies: ['x/a.B/n'] });
    }
    expect(told).toHaveLength(1);
    expect(told[0]?.[0]).toMatchObject({
      line: 2,
      column: 19,
      message: expect.stringContaining('a number says nothing of text'),
    });
    tools = [tool('a.B')];
    expect(engine.decide(ask('a.B', 1))).toMatchObject({ effect: 'permit' });
    expect(told[1]).toEqual([]);
  });

  it('does not take what is asked about a call for its arguments: a task, a completion', async () => {
    const engine = engineOf(
      await setOf({
        ...atMostFive,
        'y.cedar': `@id("topic") forbid(principal, action == Action::"get-prompt", resource) when { context.arguments.topic == "x" };
@id("bob") forbid(principal == Principal::"bob", action, resource);`,
      }),
    );
    const task = {
      ...ask('a.B', 0),
      context: { ...ask('a.B', 0).context, method: 'tasks/get' as const, arguments: { taskId: 't' } },
    };
    const prompt = ask('a.prompts/P', 0, { type: 'prompt' });
    const completion = {
      ...prompt,
      context: {
        ...prompt.context,
        method: 'completion/complete' as const,
        arguments: { argument: { name: 'topic', value: 'x' } },
      },
    };
    for (const request of [task, completion]) {
      expect(engine.decide(request)).toMatchObject({ effect: 'permit' });
      expect(engine.decide({ ...request, subject: { ...request.subject, subject: 'bob' } })).toMatchObject({
        policies: ['bob'],
      });
    }
    const filled = {
      ...prompt,
      context: { ...prompt.context, method: 'prompts/get' as const, arguments: { topic: 'x' } },
    };
    expect(engine.decide(filled)).toMatchObject({ effect: 'deny', policies: ['topic'] });
  });

  it('says which tools there are not, of services that are there', async () => {
    const engine = engineOf(
      await setOf({
        'x.policy.yaml': 'tool: [a.B, a.C, other.D, a.prompts/P]\naudit: required',
        'y.cedar':
          '@id("y") forbid(principal, action in [Action::"a.BB", Action::"call", Action::"other.E"], resource);',
      }),
    );
    engine.decide(ask('a.B', 1));
    expect(told.flat().map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)).toEqual([
      'x.policy.yaml:1:13 there is no tool a.C; did you mean "a.B"?',
      'y.cedar:1:1 there is no tool a.BB; did you mean "a.B"?',
    ]);
  });

  it('takes others when it is told to, and not before; equal ones have equal revisions', async () => {
    const engine = engineOf(await setOf(atMostFive));
    const before = engine.revision();
    let changes = 0;
    engine.onChange?.(() => {
      changes += 1;
    });
    const use = engine.prepare(await setOf({ 'x.policy.yaml': 'tool: a.B\narguments: { n: { max: 9 } }' }));
    expect(engine.decide(ask('a.B', 6))).toMatchObject({ effect: 'deny' });
    use();
    expect(engine.decide(ask('a.B', 6))).toMatchObject({ effect: 'permit' });
    expect(engine.revision()).not.toBe(before);
    engine.prepare(await setOf(atMostFive))();
    expect([engine.revision(), changes]).toEqual([before, 2]);
    engine.prepare(await setOf(atMostFive))();
    expect(changes).toBe(2);
  });
});
