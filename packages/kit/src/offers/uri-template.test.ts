import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseUriTemplate } from './uri-template.ts';

const names = ['a', 'b_1', 'c'];
const literal = fc.stringMatching(/^[a-z/.:~-]{1,8}$/);
const value = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.isWellFormed());

test('what was filled in comes out again, as long as the template can be read in one way only', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, literal), { minLength: 1, maxLength: 3 }), (parts) => {
      // A slash ends a variable, whatever its value.
      const template = `x://${parts.map(([, text], i) => `{${names[i]}}/${text}`).join('')}`;
      const uri = `x://${parts.map(([text, after]) => `${encodeURIComponent(text)}/${after}`).join('')}`;
      const expected = Object.fromEntries(parts.map(([text], i) => [names[i], text]));
      expect(parseUriTemplate(template).match(uri)).toEqual(expected);
    }),
  );
});

test('a match is always one: filling its values in gives the same URI', () => {
  const template = parseUriTemplate('x://{a}-{b}.{c}!');
  const uris = fc.stringMatching(/^x:\/\/[a-c.!/-]{0,20}!?$/);
  fc.assert(
    fc.property(uris, (uri) => {
      const found = template.match(uri);
      const expected = /^x:\/\/[^/?#]+-[^/?#]+\.[^/?#]+!$/.test(uri);
      expect(found !== undefined).toBe(expected);
      if (found !== undefined) expect(`x://${found.a}-${found.b}.${found.c}!`).toBe(uri);
    }),
  );
});

test('long nonsense takes no long time', () => {
  const template = parseUriTemplate(`x://{a}-{b}-{c}-{d}-{e}z`);
  const uri = `x://${'-'.repeat(2_000)}`;
  let matched = 0;
  for (let i = 0; i < 10_000; i++) if (template.match(uri)) matched += 1;
  expect(matched).toBe(0);
  expect(template.match(`x://${'a'.repeat(3_000)}`)).toBeUndefined();
  expect(template.match('x://%zz-b-c-d-ez')).toBeUndefined();
});

test('what matches is covered, by whatever is looked at of it', () => {
  const templates = ['x://{a}', 'x://{a}/{b}', 'x://a{a}', 'x://{a}-{b}/c'].map(parseUriTemplate);
  fc.assert(
    fc.property(fc.stringMatching(/^x:\/\/[a-c/-]{0,12}$/), fc.constantFrom(...templates), (uri, template) => {
      if (template.match(uri) !== undefined) expect(template.covers(uri)).toBe(true);
    }),
  );
});
