import { fakeCatalog, fakeTool } from '@sallyport/testkit';
import { describe, expect, it } from 'vitest';
import type { ListRequest } from './call.ts';
import { findTarget, listTargets } from './listing.ts';
import type { Catalog, Endpoint, Prompt, Resource, Target, View } from './tool.ts';

const tool = fakeTool({ name: 'docs.Search', remoteName: 'Search', service: 'docs' });
const { alias: _, inputSchema: __, examples: ___, capability: ____, ...governed } = tool;
const prompt: Prompt = {
  ...governed,
  ...{ capability: 'prompt', name: 'docs.prompts/ask', alias: 'docs_ask', remoteName: 'ask', arguments: [] },
};
const listed = resource('file:///a', true);
const unlisted = resource('file:///b', false);

function resource(uri: string, isListed: boolean): Resource {
  const name = `docs.resources/${uri}`;
  return { ...governed, capability: 'resource', name, remoteName: uri, label: uri, listed: isListed };
}

const catalog: Catalog = {
  ...fakeCatalog([tool]),
  prompts: [prompt],
  resources: [listed],
  byName: new Map<string, Target>([
    [tool.name, tool],
    [tool.alias, tool],
    [prompt.name, prompt],
    [listed.name, listed],
  ]),
  promptsByAlias: new Map([[prompt.alias, prompt]]),
  resourceAt: (service, uri) =>
    service === 'docs' ? [listed, unlisted].find(({ remoteName }) => remoteName === uri) : undefined,
};
const all: Endpoint = { kind: 'all' };
const mount: Endpoint = { kind: 'mount', service: 'docs' };
const view = (overrides: Partial<View> = {}): View => ({
  catalog,
  has: (target) => target !== unlisted,
  admits: () => true,
  ...overrides,
});

describe('what a caller named', () => {
  it.each([
    ['tool', all, 'docs.Search', tool],
    ['tool', all, 'docs_Search', tool],
    ['tool', mount, 'Search', tool],
    ['prompt', all, 'docs.ask', prompt],
    ['prompt', all, 'docs_ask', prompt],
    ['prompt', mount, 'ask', prompt],
    ['resource', all, 'docs+file:///a', listed],
    ['resource', mount, 'file:///a', listed],
    ['resource', mount, 'file:///b', unlisted],
  ] as const)('%s at %o called %s is found', async (capability, endpoint, name, target) => {
    expect(await findTarget(view(), { endpoint, capability, name })).toBe(target);
  });

  it.each([
    ['tool', all, 'Search'],
    ['tool', mount, 'docs.Search'],
    ['tool', all, 'docs.prompts/ask'],
    ['tool', mount, 'prompts/ask'],
    ['prompt', all, 'ask'],
    ['prompt', mount, 'docs_nothing'],
    ['resource', all, 'file:///a'],
    ['resource', all, 'other+file:///a'],
    ['resource', mount, 'docs+file:///a'],
  ] as const)('%s at %o called %s does not exist', async (capability, endpoint, name) => {
    await expect(async () => findTarget(view(), { endpoint, capability, name })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('what is hidden is refused like what does not exist, listed or not', async () => {
    const hidden = view({ has: () => false, admits: () => false });
    const refusals = await Promise.all(
      ['file:///a', 'file:///b', 'file:///nothing'].map(async (name) => {
        const naming = { endpoint: mount, capability: 'resource', name } as const;
        return JSON.stringify(
          await Promise.resolve(naming)
            .then((asked) => findTarget(hidden, asked))
            .catch(Object),
        );
      }),
    );
    expect(new Set(refusals).size).toBe(1);
  });
});

describe('lists', () => {
  const list = (request: Partial<ListRequest> = {}) =>
    listTargets(view(), () => true, {
      endpoint: all,
      request: { verb: 'list', capability: 'tool', limit: 10, ...request },
    });

  it('hold one kind of thing each', () => {
    expect(list().targets).toEqual([tool]);
    expect(list({ capability: 'prompt' }).targets).toEqual([prompt]);
    expect(list({ capability: 'resource' }).targets).toEqual([listed]);
    expect(list({ capability: 'any' })).toMatchObject({
      targets: [],
      offers: { tools: true, prompts: true, resources: true },
    });
  });

  it('begin anew with an empty cursor, and refuse one that nobody gave out', () => {
    expect(list({ cursor: '' }).targets).toEqual([tool]);
    expect(() => list({ cursor: 'docs.Search' })).toThrow(expect.objectContaining({ reason: 'malformed_params' }));
  });

  it('say of whom something is in them', () => {
    expect(list().services.map(({ name }) => name)).toEqual(['docs']);
    expect(
      listTargets(view(), () => false, {
        endpoint: all,
        request: { verb: 'list', capability: 'any', limit: 0 },
      }).services,
    ).toEqual([]);
  });

  it('keep the order of a service that is mounted alone, page by page', () => {
    const tools = ['Zoo', 'Ant', 'Mole'].map((remoteName, position) => {
      const name = `docs.${remoteName}`;
      return fakeTool({ name, remoteName, service: 'docs', position });
    });
    const several = view({ catalog: fakeCatalog(tools), has: () => true });
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const request = { verb: 'list', capability: 'tool', limit: 1, ...(cursor !== undefined && { cursor }) } as const;
      const page = listTargets(several, () => true, { endpoint: mount, request });
      names.push(...page.targets.map(({ remoteName }) => remoteName));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(names).toEqual(['Zoo', 'Ant', 'Mole']);
  });
});
