import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectFirst, connectSecond, type MatrixClient } from './clients.ts';
import { answered, folders, note, sampled } from './features.ts';
import { type MatrixGateway, servers, startMatrix } from './gateway.ts';
import { runTask } from './tasks.ts';

/** Slow machines are slow: this waits long for what must come, and not at all for what has. */
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 15_000, interval: 20 });

let gateway: MatrixGateway;
beforeAll(async () => {
  gateway = await startMatrix();
}, 60_000);
afterAll(() => gateway.close());

const clients: Readonly<Record<string, (url: URL, token: string) => Promise<MatrixClient>>> = {
  'the v1 client': connectFirst,
  'the v2 client': (url, token) => connectSecond(url, token, 'auto'),
  'the v2 client, pinned,': (url, token) => connectSecond(url, token, { pin: '2026-07-28' }),
};

/** What a tool is called at a server. */
const toolAt = (server: string) => (name: string) =>
  server === 'kit' ? `Matrix.${name.charAt(0).toUpperCase()}${name.slice(1)}` : name;

describe.each(Object.keys(clients))('%s', (clientName) => {
  describe.each(servers)('with the server %s', (server) => {
    const tool = toolAt(server);
    let client: MatrixClient;
    beforeAll(async () => {
      const connect = clients[clientName];
      if (connect === undefined) throw new Error('no such client');
      client = await connect(gateway.mount(server), gateway.token);
    });
    afterAll(() => client?.close());

    it('lists and calls tools', async () => {
      expect(await client.tools()).toEqual(expect.arrayContaining(['echo', 'ask', 'hang'].map(tool)));
      expect(await client.call(tool('echo'), { said: 'hi' })).toBe('hi');
    });

    it('reads resources, listed ones and those of a template', async () => {
      expect(await client.read(note)).toBe('1');
      expect(await client.read('note://7')).toBe('7');
    });

    it('gets prompts', async () => {
      expect(await client.prompt('greet', { name: 'ada' })).toBe('Hello ada');
    });

    it('completes arguments of prompts and of templates', async () => {
      const ofPrompt = await client.complete({ type: 'ref/prompt', name: 'greet' }, { name: 'name', value: 'a' });
      expect(ofPrompt).toEqual(['ada', 'alan']);
      const ofTemplate = await client.complete({ type: 'ref/resource', uri: 'note://{id}' }, { name: 'id', value: '' });
      expect(ofTemplate).toEqual(['x', 'y']);
    });

    it('hears of progress', async () => {
      const heard: number[] = [];
      const onprogress = (progress: number) => void heard.push(progress);
      expect(await client.call(tool('steps'), {}, { onprogress })).toBe('done');
      expect(heard).toEqual([1, 2, 3]);
    });

    it('cancels a call at the server', async () => {
      const before = Number(await client.call(tool('cancelled')));
      const cancelling = new AbortController();
      const call = client.call(tool('hang'), {}, { signal: cancelling.signal });
      const gone = expect(call).rejects.toThrow();
      await new Promise((resolve) => setTimeout(resolve, 200));
      cancelling.abort();
      await gone;
      await eventually(async () => expect(Number(await client.call(tool('cancelled')))).toBe(before + 1));
    });

    it('is asked by a tool, and the tool gets the answer', async () => {
      expect(JSON.parse(await client.call(tool('ask')))).toEqual(answered.content);
    });

    it('is asked for its model by a tool', async () => {
      expect(JSON.parse(await client.call(tool('sample')))).toEqual(sampled.content);
    });

    it('is asked for its folders by a tool, unless others use the same process', async () => {
      const answer = await client.call(tool('roots'));
      if (server === 'stdio') expect(answer).toMatch(/Method not found/);
      else expect(JSON.parse(answer)).toEqual(folders.roots);
    });

    it('hears that the list of tools has changed', async () => {
      const changed = vi.fn();
      await client.onToolsChanged(changed);
      const before = (await client.tools()).length;
      // A service of the kit has the tools it was started with: its list changes when a later version takes over.
      if (server === 'kit') gateway.releaseKit();
      else await client.call('grow');
      await eventually(() => expect(changed).toHaveBeenCalled());
      await eventually(async () => expect((await client.tools()).length).toBeGreaterThan(before));
    });

    it('hears that a resource it subscribed to has changed', async () => {
      const updated = vi.fn();
      await client.onUpdated(note, updated);
      // How soon the server knows of the subscription is not told; until it does, it is told again.
      await eventually(async () => {
        await client.call(tool('touch'));
        expect(updated).toHaveBeenCalledWith(note);
      });
    });

    it('lets a call become a task and asks for it later, if it speaks an era that has tasks', async () => {
      const called = server === 'kit' ? 'Matrix.Task' : 'echo';
      const url = gateway.mount(server);
      const task = await runTask({ url, token: gateway.token, era: client.era }, called, { said: 'later' });
      // The extension is of the modern era: a legacy client is answered when the call is done.
      expect(task.wasTask).toBe(client.era === 'modern');
      expect(task.text).toContain(server === 'kit' ? 'finished' : 'later');
    });
  });
});
