import type { Answer, JsonText, Obligation, Permit } from '@sallyport/core';
import { fakeTool } from '@sallyport/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pointerPath, rewriteAt } from './pointers.ts';
import { createPolicyRedaction } from './policy-redaction.ts';

const target = fakeTool();

function redacted(pointers: readonly string[], result: unknown, method: Permit['method'] = 'tools/call') {
  const obligations: readonly Obligation[] = [{ kind: 'redact', policy: 'p', pointers }];
  const answer: Answer = { text: JSON.stringify(result) as JsonText, isError: false, instance: 'i' };
  const filter = createPolicyRedaction();
  const cleaned = filter.filter({ method, target, obligations } as unknown as Permit, answer);
  if (cleaned instanceof Promise) throw new Error('it takes its time');
  return { value: JSON.parse(cleaned.text) as unknown, counts: cleaned.redacted, filter, text: cleaned.text };
}

describe('what a policy wants taken out', () => {
  it('is taken from structured content, from the same as text, and where other text quotes it', () => {
    const person = { name: 'Ada', email: 'ada@example.org', cards: [{ no: 1 }, { no: '22' }] };
    const { value, counts } = redacted(['/structuredContent/email', '/structuredContent/cards/*/no'], {
      structuredContent: person,
      content: [
        { type: 'text', text: JSON.stringify(person) },
        { type: 'text', text: 'Write to ada@example.org, or call.' },
        { type: 'image', data: 'aaaa', mimeType: 'image/png' },
      ],
    });
    const cleaned = { name: 'Ada', email: '[redacted]', cards: [{ no: null }, { no: '[redacted]' }] };
    expect(value).toEqual({
      structuredContent: cleaned,
      content: [
        { type: 'text', text: JSON.stringify(cleaned) },
        { type: 'text', text: 'Write to [redacted], or call.' },
        { type: 'image', data: 'aaaa', mimeType: 'image/png' },
      ],
    });
    expect(counts).toEqual({ p: 6 });
  });

  it('is taken from what came of a task, and from the news of it', () => {
    const result = { structuredContent: { iban: 'DE02' }, content: [{ type: 'text', text: '{"iban":"DE02"}' }] };
    const task = { taskId: 't', status: 'completed', result };
    const { value, filter } = redacted(['/structuredContent/iban'], task, 'tasks/get');
    expect(JSON.stringify(value)).not.toContain('DE02');
    const news = filter.notification?.(target, JSON.stringify(task) as JsonText);
    expect(news?.text).not.toContain('DE02');
    expect(news?.redacted).toEqual({ p: 2 });
    const other = filter.notification?.(fakeTool({ name: 'other.Tool' }), JSON.stringify(task) as JsonText);
    expect(other?.text).toContain('DE02');
  });

  it('can be all of a result, or text at a place', () => {
    expect(redacted(['/content/0/text'], { content: [{ type: 'text', text: 'secret' }] }).value).toEqual({
      content: [{ type: 'text', text: '[redacted]' }],
    });
    expect(redacted(['/*'], { structuredContent: { a: 1 }, content: [] }).value).toEqual({
      structuredContent: null,
      content: null,
    });
    expect(redacted([''], { content: [] }).value).toBeNull();
  });

  it('leaves what is not there, and the words of a service that failed', () => {
    const result = { structuredContent: { a: 1 }, content: [{ type: 'text', text: 'not {json' }] };
    expect(redacted(['/structuredContent/b', '/nothing/*'], result)).toMatchObject({
      value: result,
      counts: undefined,
    });
  });
});

describe('places in JSON text', () => {
  const json = fc.jsonValue({ maxDepth: 4 });

  it('are found whatever stands around them, and every other byte stays', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), json)), json, fc.string(), (before, value, name) => {
        fc.pre(name !== '__proto__' && !before.some(([key]) => key === name || key === '__proto__'));
        const inner = JSON.stringify({ deep: [JSON.stringify(value), value] });
        const text = `{${[...before, [name, 0] as const]
          .map(([key, each]) => ` ${JSON.stringify(key)} : ${key === name ? inner : JSON.stringify(each)}`)
          .join(' , ')} }`;
        const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}/deep/1`;
        fc.pre(name !== '*');
        const seen: string[] = [];
        const out = rewriteAt(text, [pointerPath(pointer)], (found) => {
          seen.push(found);
          return '"X"';
        });
        expect(seen).toEqual([JSON.stringify(value)]);
        const at = text.lastIndexOf(`,${JSON.stringify(value)}]`);
        expect(out).toBe(`${text.slice(0, at)},"X"]${text.slice(at + JSON.stringify(value).length + 2)}`);
      }),
    );
  });

  it('are all of them under a star, in any order of braces and quotes', () => {
    fc.assert(
      fc.property(fc.array(json), (values) => {
        const found: unknown[] = [];
        rewriteAt(JSON.stringify({ all: values }, undefined, 2), [['all', '*']], (text) => {
          found.push(JSON.parse(text));
          return undefined;
        });
        expect(found).toEqual(JSON.parse(JSON.stringify(values)));
      }),
    );
  });
});
