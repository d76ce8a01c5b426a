import { afterEach, describe, expect, it } from 'vitest';
import { able, askModern, connectLegacy } from './support/clients.ts';
import { beFlooded, startBefore } from './support/stdio.ts';
import { endAll, eventually } from './support/world.ts';

afterEach(endAll);

describe('a stdio server that floods', () => {
  it.each(['junk', 'pings'])('with %s does not fill the log, and others are served meanwhile', beFlooded);

  it('with questions has few of them asked', async () => {
    const { world, token } = await startBefore('questions');
    const session = await connectLegacy({ url: world.mcp, token }, able);
    let questions = 0;
    const { last } = await session.follow('tools/call', { name: 'evil.do', arguments: {} }, (message) => {
      if (message.method !== 'elicitation/create') return;
      questions++;
      session.send({ id: message.id, result: { action: 'cancel' } }).catch(() => undefined);
    });
    expect(last.result.content[0].text).toBe('done');
    expect(questions).toBeLessThanOrEqual(16);
  });
});

describe('a stdio server', () => {
  it('finds nothing in its environment that was not given to it', async () => {
    process.env.SALLYPORT_TOKEN = 'secret of the gateway';
    process.env.AWS_SECRET_ACCESS_KEY = 'secret of the machine';
    const { world, token } = await startBefore('environment');
    const { last } = await askModern({ url: world.mcp, token }, 'tools/call', { name: 'evil.do', arguments: {} });
    expect(last.result.content[0].text).not.toContain('secret of');
    const names = Object.keys(JSON.parse(last.result.content[0].text));
    const usual = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SystemRoot'];
    expect(names.filter((name) => !usual.includes(name))).toEqual([]);
  });

  it('leaves nothing behind that it started', async () => {
    const { world, token } = await startBefore('child');
    const { last } = await askModern({ url: world.mcp, token }, 'tools/call', { name: 'evil.do', arguments: {} });
    const pid = Number(last.result.content[0].text);
    expect(process.kill(pid, 0)).toBe(true);
    await world.close();
    await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
  });
});
