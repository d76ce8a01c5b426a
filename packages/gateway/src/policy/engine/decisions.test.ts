import type { AccessRequest } from '@sallyport/core';
import type { JsonObject } from '@sallyport/protocol';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCedar } from '../cedar.ts';
import { readCedarText } from '../cedar-file.ts';
import type { CompiledPolicies, PolicySettings } from '../types.ts';
import { compilePolicies } from './compile.ts';

let cedar: Awaited<ReturnType<typeof loadCedar>>;
beforeAll(async () => {
  cedar = await loadCedar();
});

const inputSchema: JsonObject = {
  type: 'object',
  properties: {
    amount: { type: 'integer' },
    price: { type: 'number' },
    currency: { type: 'string' },
    tags: { type: 'array', items: { type: 'string' } },
    mixed: { type: 'array' },
    customer: { type: 'object', properties: { country: { type: ['string', 'null'] } }, required: ['country'] },
  },
};

function compile(text: string, settings: Partial<PolicySettings> = {}): CompiledPolicies {
  const { policies, problems } = readCedarText(cedar, text, 'test.cedar');
  expect(problems).toEqual([]);
  const all = { default: 'scopes', attributes: { level: 'long', department: 'string' }, ...settings } as const;
  return compilePolicies({ policies, settings: all, tools: { inputSchema: () => inputSchema } });
}

interface Asked {
  readonly args?: JsonObject;
  readonly subject?: Partial<AccessRequest['subject']>;
  readonly context?: Partial<AccessRequest['context']>;
  readonly resource?: Partial<AccessRequest['resource']>;
}

function call({ args = {}, subject, context, resource }: Asked = {}): AccessRequest {
  return {
    subject: { subject: 'ada', client: 'desk', kind: 'agent', scopes: [], attributes: {}, ...subject },
    action: 'invoke',
    resource: {
      ...{ type: 'tool', id: 'pay.Refund', service: 'pay', definitionHash: 'h', sideEffect: 'write' },
      ...{ classification: 'confidential', risk: 'low', internal: false, owner: 'team', ...resource },
    },
    context: {
      method: 'tools/call',
      timeMs: Date.UTC(2026, 2, 29, 1, 30),
      transport: 'http',
      arguments: args,
      ...context,
    },
  };
}

function list(asked: Asked = {}): AccessRequest {
  const { arguments: _none, method: _method, ...context } = call(asked).context;
  return { ...call(asked), action: 'discover', context: { ...context, transport: 'any' } };
}

const over500 = `@id("over") forbid(principal, action == Action::"pay.Refund", resource)
  when { context.arguments.amount > 500 };`;

describe('a decision', () => {
  it('is the permit of scopes where policies say nothing against it', () => {
    expect(compile(over500).decide(call({ args: { amount: 500 } }))).toEqual({
      effect: 'permit',
      policies: ['scopes'],
    });
  });

  it('names the forbid that holds, what it looks at, and no value', () => {
    expect(compile(over500).decide(call({ args: { amount: 501 } }))).toEqual({
      effect: 'deny',
      policies: ['over'],
      explanation: 'forbidden by over (looks at context.arguments.amount)',
    });
  });

  it('needs a permit of the files where the default is deny', () => {
    const policies = compile('@id("p") permit(principal in Group::"finance", action, resource);', { default: 'deny' });
    expect(policies.decide(call())).toMatchObject({
      effect: 'deny',
      policies: [],
      explanation: 'no policy permits it',
    });
    const subject = { attributes: { groups: ['finance'] } };
    expect(policies.decide(call({ subject }))).toEqual({ effect: 'permit', policies: ['p'] });
  });

  it('tells the caller the reason of a forbid that holds, and of no other', () => {
    const policies =
      compile(`@id("a") @reason("Ask finance.") forbid(principal, action, resource) when { context.arguments.amount > 500 };
      @id("b") @reason("Not now.") forbid(principal, action, resource) when { context.arguments.amount > 1000 };`);
    expect(policies.decide(call({ args: { amount: 501 } })).reasons).toEqual(['Ask finance.']);
  });

  it('adds up what all permits that hold ask for', () => {
    const policies = compile(`
      @id("a") @approve("finance:approve") @approvals("2") @approval_life("30m") @why("Large.")
      permit(principal, action, resource) when { context.arguments.amount > 100 };
      @id("b") @second_factor("15m") @redact("/a /b/*") @limit("5 per 10s") @limit_of("all") @notify("ops") @audit("required")
      permit(principal, action, resource);
      @id("c") @approve("other") permit(principal, action, resource) when { context.arguments.amount > 9000 };`);
    expect(policies.decide(call({ args: { amount: 101 } })).obligations).toEqual([
      { kind: 'approve', policy: 'a', scope: 'finance:approve', approvals: 2, lifeMs: 1_800_000, why: 'Large.' },
      { kind: 'second-factor', policy: 'b', maxAgeMs: 900_000 },
      { kind: 'redact', policy: 'b', pointers: ['/a', '/b/*'] },
      { kind: 'limit', policy: 'b', limit: { rate: 0.5, burst: 5 }, of: 'all' },
      { kind: 'notify', policy: 'b', channel: 'ops' },
      { kind: 'audit', policy: 'b' },
    ]);
  });

  it('asks what the default environment is where nobody says it', () => {
    const policies = compile(
      '@id("e") forbid(principal, action, resource) when { context.environment == "production" };',
      {
        environment: 'production',
      },
    );
    expect(policies.decide(call()).effect).toBe('deny');
    expect(policies.decide(call({ context: { environment: 'test' } })).effect).toBe('permit');
  });

  it('knows the time in the zones that policies name, also where an hour is skipped', () => {
    const policies = compile(`@id("w") forbid(principal, action, resource) unless {
      context.zones["Europe/Berlin"].minute == 210 && context.zones["Europe/Berlin"].weekday == 7 &&
      context.zones["Europe/Berlin"].date == "2026-03-29" && context.now == datetime("2026-03-29T01:30:00Z") };`);
    expect(policies.decide(call()).effect).toBe('permit');
  });

  it.each([
    ['2026-07-01T22:05:00Z', 5, 4, '2026-07-02'],
    ['2026-07-01T11:59:59Z', 839, 3, '2026-07-01'],
    ['2025-12-31T23:00:00Z', 0, 4, '2026-01-01'],
  ])('knows the time in a zone at %s', (time, minute, weekday, date) => {
    const policies = compile(`@id("w") forbid(principal, action, resource) unless {
      context.zones["Europe/Berlin"] == { minute: ${minute}, weekday: ${weekday}, date: "${date}" } };`);
    expect(policies.decide(call({ context: { timeMs: Date.parse(time) } })).effect).toBe('permit');
  });

  it('is the same for equal texts and settings: so is the revision, and not for others', () => {
    expect(compile(over500).revision).toBe(compile(over500).revision);
    expect(compile(over500).revision).not.toBe(compile(over500, { default: 'deny' }).revision);
    expect(compile(over500).revision).not.toBe(compile(over500.replace('500', '501')).revision);
  });
});

describe('what cannot be evaluated', () => {
  it.each([
    ['is not there', {}],
    ['is null', { amount: null }],
    ['is beyond what is exact', { amount: 2 ** 53 }],
    ['has a fraction', { amount: 1.5 }],
    ['is a text', { amount: '1' }],
  ])('denies: an argument that %s, though the policy is a forbid', (_, args) => {
    expect(compile(over500).decide(call({ args }))).toMatchObject({ effect: 'deny', policies: [], errors: ['over'] });
  });

  it.each([
    [{ price: 0.1 }, 'permit'],
    [{ price: 500 }, 'permit'],
    [{ price: 0.00001 }, 'deny'],
    [{ price: 1 / 3 }, 'deny'],
    [{ price: 1e300 }, 'deny'],
    [{ price: 500.0001 }, 'deny'],
  ])('denies: a number that is no decimal of four places (%j: %s)', (args, effect) => {
    const policies = compile(
      '@id("d") forbid(principal, action, resource) when { context.arguments.price.greaterThan(decimal("500.0")) };',
    );
    expect(policies.decide(call({ args })).effect).toBe(effect);
  });

  it('denies where the policy looks, and nowhere else', () => {
    const args = { amount: 1, mixed: [1, 'a'], price: 1e300, unheard: { of: 1 } };
    expect(compile(over500).decide(call({ args })).effect).toBe('permit');
  });

  it('may be asked for: whether it is there needs no encoding', () => {
    const policies = compile('@id("m") forbid(principal, action, resource) when { context.arguments has mixed };');
    expect(policies.decide(call({ args: { mixed: [1, 'a'] } }))).toMatchObject({ effect: 'deny', policies: ['m'] });
    expect(policies.decide(call({ args: { mixed: null } })).effect).toBe('permit');
  });

  it('denies where nobody knows how the arguments are typed', () => {
    const { policies } = readCedarText(cedar, over500, 'test.cedar');
    const settings = { default: 'scopes', attributes: {} } as const;
    const untyped = compilePolicies({ policies, settings, tools: { inputSchema: () => undefined } });
    expect(untyped.decide(call({ args: { amount: 1 } })).errors).toEqual(['over']);
  });

  it('denies where an attribute is not as it was declared', () => {
    const policies = compile(
      '@id("l") forbid(principal, action, resource) when { principal has attributes.level && principal.attributes.level < 5 };',
    );
    expect(policies.decide(call({ subject: { attributes: { level: 7 } } })).effect).toBe('permit');
    expect(policies.decide(call({ subject: { attributes: { level: 'high' } } })).errors).toEqual(['l']);
  });

  it('denies where arguments carry what Cedar would read as something else', () => {
    const policies = compile(
      '@id("x") forbid(principal, action, resource) when { context.arguments.customer == { a: 1 } };',
    );
    const customer = { __entity: { type: 'Group', id: 'finance' } };
    expect(policies.decide(call({ args: { customer } })).errors).toEqual(['x']);
  });
});

describe('a policy that is only tried', () => {
  const shadow = over500.replace('@id("over")', '@id("over") @mode("shadow")');

  it('changes nothing, and says what it would have changed', () => {
    expect(compile(shadow).decide(call({ args: { amount: 501 } }))).toEqual({
      effect: 'permit',
      policies: ['scopes'],
      shadow: { effect: 'deny', policies: ['over'] },
    });
    expect(compile(shadow).decide(call({ args: { amount: 500 } })).shadow).toBeUndefined();
  });

  it('says that it could not have been evaluated, and denies nothing by it', () => {
    expect(compile(shadow).decide(call())).toEqual({
      effect: 'permit',
      policies: ['scopes'],
      shadow: { effect: 'deny', policies: ['over'] },
    });
  });

  it('hides nothing from lists', () => {
    const policies = compile('@id("all") @mode("shadow") forbid(principal, action, resource);');
    expect(policies.decide(list()).effect).toBe('permit');
  });
});

describe('whether something is listed', () => {
  it('does not depend on arguments that are not there yet', () => {
    expect(compile(over500).decide(list()).effect).toBe('permit');
  });

  it('depends on all that is known already', () => {
    const policies = compile(`@id("k") forbid(principal, action, resource)
      when { principal.kind == "agent" || context.arguments.amount > 5 };`);
    expect(policies.decide(list()).effect).toBe('deny');
    expect(policies.decide(list({ subject: { kind: 'person' } })).effect).toBe('permit');
  });

  it('is denied where every call would be an error', () => {
    expect(
      compile('@id("k") permit(principal, action, resource) when { principal.nothing };').decide(list()).effect,
    ).toBe('deny');
  });

  it('is not denied for a risk, a transport or facts that calls may have', () => {
    const policies = compile(`@id("k") forbid(principal, action, resource)
      unless { context.risk < 50 && context.transport == "http" && context.facts.isKnown && context.method == "tools/call" };`);
    expect(policies.decide(list()).effect).toBe('permit');
  });

  it('is decided by Cedar where it has to be, with what is known', () => {
    const policies = compile(`@id("k") forbid(principal, action, resource) when { ip(principal.client).isLoopback() };
      @id("l") forbid(principal, action, resource) when { ip(context.arguments.currency).isLoopback() };`);
    expect([...policies.judged.keys()]).toEqual(['k', 'l']);
    expect(policies.decide(list({ subject: { client: '127.0.0.1' } }))).toMatchObject({
      effect: 'deny',
      policies: ['k'],
    });
    expect(policies.decide(list({ subject: { client: '1.1.1.1' } })).effect).toBe('permit');
    const asked = call({ subject: { client: '1.1.1.1' }, args: { currency: '127.0.0.1' } });
    expect(policies.decide(asked)).toMatchObject({ effect: 'deny', policies: ['l'] });
  });
});

describe('what is no tool', () => {
  it('has an action of its kind, and texts for arguments', () => {
    const policies =
      compile(`@id("p") forbid(principal, action == Action::"get-prompt", resource == Prompt::"pay.prompts/Ask")
      when { context.arguments.name == "x" };
      @id("o") forbid(principal, action in Action::"other", resource in Service::"secret");`);
    const resource = { type: 'prompt', id: 'pay.prompts/Ask' } as const;
    expect(policies.decide(call({ resource, args: { name: 'x' } })).policies).toEqual(['p']);
    expect(policies.decide(call({ resource, args: { name: 'y' } })).effect).toBe('permit');
    const secret = { type: 'resource', id: 'secret.resources/a', service: 'secret' } as const;
    expect(policies.decide(call({ resource: secret })).policies).toEqual(['o']);
  });
});

describe('an argument that is there twice for services that do not tell upper from lower case', () => {
  const optional = '@id("o") forbid(principal, action, resource) when { context.arguments has amount };';
  const nested = `@id("n") forbid(principal, action, resource)
    when { context.arguments has customer.country && context.arguments.customer.country == "US" };`;

  it.each([
    ['beside the one that was looked at', over500, { amount: 1, Amount: 9000 }],
    ['instead of it', optional, { AMOUNT: 9000 }],
    [
      'with a letter that is another small one of the same',
      '@id("t") forbid(principal, action, resource) when { context.arguments has tags };',
      { tagſ: ['a'] },
    ],
    ['further in', nested, { customer: { country: 'DE', Country: 'US' } }],
    ['further out', nested, { Customer: { country: 'US' } }],
  ])('denies: %s', (_where, text, args) => {
    const verdict = compile(text).decide(call({ args }));
    expect(verdict).toMatchObject({ effect: 'deny' });
    expect(verdict.errors).toHaveLength(1);
  });

  it.each([
    ['is called otherwise', { currency: 'EUR', amount: 1 }],
    ['is another word of the same length', { amount: 1, faktor: 2 }],
    ['is one that no policy looks at', { amount: 1, Currency: 'EUR' }],
  ])('is none that %s', (_what, args) => {
    expect(compile(over500).decide(call({ args })).effect).toBe('permit');
  });
});
