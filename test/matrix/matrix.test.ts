import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClientName, type Feature, features, matrixTable, type ServerName, serverNames, whyNot } from './cells.ts';
import { connectFirst, connectSecond, type MatrixClient } from './clients.ts';
import { answered, folders, note, sampled } from './features.ts';
import { type MatrixGateway, startMatrix } from './gateway.ts';
import { runTask } from './tasks.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 15_000, interval: 20 });

let gateway: MatrixGateway;
beforeAll(async () => {
  gateway = await startMatrix();
}, 60_000);
afterAll(() => gateway.close());

const clients: Readonly<Record<ClientName, (url: URL, token: string) => Promise<MatrixClient>>> = {
  v1: connectFirst,
  'v2 auto': (url, token) => connectSecond(url, token, 'auto'),
  'v2 pinned': (url, token) => connectSecond(url, token, { pin: '2026-07-28' }),
};

/** What a tool is called at a server. */
const toolAt = (server: string) => (name: string) =>
  server === 'kit' ? `Matrix.${name.charAt(0).toUpperCase()}${name.slice(1)}` : name;

const tried = new Set<string>();

describe.each(Object.keys(clients) as ClientName[])('the client %s', (clientName) => {
  describe.each(Object.keys(serverNames) as ServerName[])('with the server %s', (server) => {
    const tool = toolAt(server);
    /** Tries a feature, or what is instead of it where it cannot be. */
    const cell = (feature: Feature, run: () => Promise<void>, instead = run): void => {
      tried.add(feature);
      const why = whyNot(feature, clientName, server);
      it(why === undefined ? feature : `no ${feature}: ${why}`, why === undefined ? run : instead);
    };
    let client: MatrixClient;
    beforeAll(async () => {
      client = await clients[clientName](gateway.mount(server), gateway.token);
    });
    afterAll(() => client?.close());

    cell('tools', async () => {
      expect(await client.tools()).toEqual(expect.arrayContaining(['echo', 'ask', 'hang'].map(tool)));
      expect(await client.call(tool('echo'), { said: 'hi' })).toBe('hi');
    });

    cell('resources', async () => {
      expect(await client.read(note)).toBe('1');
      expect(await client.read('note://7')).toBe('7');
    });

    cell('prompts', async () => {
      expect(await client.prompt('greet', { name: 'ada' })).toBe('Hello ada');
    });

    cell('completion', async () => {
      const ofPrompt = await client.complete({ type: 'ref/prompt', name: 'greet' }, { name: 'name', value: 'a' });
      expect(ofPrompt).toEqual(['ada', 'alan']);
      const ofTemplate = await client.complete({ type: 'ref/resource', uri: 'note://{id}' }, { name: 'id', value: '' });
      expect(ofTemplate).toEqual(['x', 'y']);
    });

    cell('progress', async () => {
      const heard: number[] = [];
      const onprogress = (progress: number) => void heard.push(progress);
      expect(await client.call(tool('steps'), {}, { onprogress })).toBe('done');
      expect(heard).toEqual([1, 2, 3]);
    });

    cell('cancel', async () => {
      const before = Number(await client.call(tool('cancelled')));
      const cancelling = new AbortController();
      const call = client.call(tool('hang'), {}, { signal: cancelling.signal });
      const gone = expect(call).rejects.toThrow();
      await new Promise((resolve) => setTimeout(resolve, 200));
      cancelling.abort();
      await gone;
      await eventually(async () => expect(Number(await client.call(tool('cancelled')))).toBe(before + 1));
    });

    cell('elicitation', async () => {
      expect(JSON.parse(await client.call(tool('ask')))).toEqual(answered.content);
    });

    cell('sampling', async () => {
      expect(JSON.parse(await client.call(tool('sample')))).toEqual(sampled.content);
    });

    cell(
      'roots',
      async () => expect(JSON.parse(await client.call(tool('roots')))).toEqual(folders.roots),
      async () => expect(await client.call(tool('roots'))).toMatch(/Method not found/),
    );

    const grow = async (): Promise<number> => {
      const before = (await client.tools()).length;
      // A service of the kit has the tools it was started with: its list changes when a later version takes over.
      if (server === 'kit') gateway.releaseKit();
      else await client.call('grow');
      return before;
    };
    cell(
      'list changed',
      async () => {
        const changed = vi.fn();
        await client.onToolsChanged(changed);
        const before = await grow();
        await eventually(() => expect(changed).toHaveBeenCalled());
        await eventually(async () => expect((await client.tools()).length).toBeGreaterThan(before));
      },
      async () => expect((await client.tools()).length).toBe(await grow()),
    );

    cell(
      'subscribe',
      async () => {
        const updated = vi.fn();
        await client.onUpdated(note, updated);
        // How soon the server knows of the subscription is not told; until it does, it is told again.
        await eventually(async () => {
          await client.call(tool('touch'));
          expect(updated).toHaveBeenCalledWith(note);
        });
      },
      async () => expect(await client.canSubscribe(note)).toBe(false),
    );

    const called = server === 'kit' ? 'Matrix.Task' : 'echo';
    const run = () =>
      runTask({ url: gateway.mount(server), token: gateway.token, era: client.era }, called, { said: 'later' });
    const end = server === 'kit' ? 'finished' : 'later';
    cell(
      'tasks',
      async () => expect(await run()).toMatchObject({ wasTask: true, text: expect.stringContaining(end) }),
      async () => expect(await run()).toMatchObject({ wasTask: false, text: expect.stringContaining(end) }),
    );
  });
});

describe('the documentation', () => {
  it('has all features that are tried, and no others', () => {
    expect([...tried]).toEqual(features);
  });

  it('has this matrix, and the reasons of what cannot be', () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/upstreams.md'), 'utf8');
    expect(text).toContain(matrixTable());
  });
});
