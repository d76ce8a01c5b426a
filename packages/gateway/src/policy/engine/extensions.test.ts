import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Cedar, loadCedar } from '../cedar.ts';
import { datetimeOf, decimalOf, decimalOfNumber, durationOf, extensionJson } from './extensions.ts';

let cedar: Cedar;
beforeAll(async () => {
  cedar = await loadCedar();
});

/** Whether Cedar takes a text, and for the value given where there is one. */
function isTaken(name: string, text: string, wanted = `${name}(${JSON.stringify(text)})`): boolean {
  const condition = `${name}(${JSON.stringify(text)}) == ${wanted}`;
  const answer = cedar.isAuthorized({
    ...{ principal: { type: 'P', id: '' }, action: { type: 'A', id: '' }, resource: { type: 'R', id: '' } },
    ...{ context: {}, entities: [] },
    policies: { staticPolicies: `permit(principal, action, resource) when { ${condition} };` },
  });
  return answer.type === 'success' && answer.response.decision === 'allow';
}

const constructors = { decimal: decimalOf, datetime: datetimeOf, duration: durationOf };
const texts = {
  decimal: fc.stringMatching(/^[-+]?[0-9]{0,16}\.?[0-9]{0,5} ?$/),
  datetime: fc.stringMatching(
    /^[0-9]{4}-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{2,3})?(Z|[-+][0-2][0-9]:?[0-6][0-9])?)?$/,
  ),
  duration: fc.stringMatching(/^-?([0-9]{1,20}d)?([0-9]{1,3}h)?([0-9]{1,3}m)?([0-9]{1,3}s)?([0-9]{1,20}ms)?$/),
};

describe('texts of extension values', () => {
  it.each(['decimal', 'datetime', 'duration'] as const)('are read as Cedar reads them: %s', (name) => {
    fc.assert(
      fc.property(texts[name], (text) => {
        const value = constructors[name](text);
        expect([text, value !== undefined]).toEqual([text, isTaken(name, text)]);
        if (value === undefined || Math.abs(Number(value.units)) > 8.64e15) return;
        const { fn, arg } = extensionJson(value);
        expect(isTaken(name, text, `${fn}(${JSON.stringify(arg)})`)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    '',
    '-',
    '1.',
    '.5',
    '1',
    '922337203685477.5807',
    '922337203685477.5808',
    '-922337203685477.5808',
    '1.23456',
  ])('are read as Cedar reads them: decimal %j', (text) => {
    expect(decimalOf(text) !== undefined).toBe(isTaken('decimal', text));
  });

  it.each([
    '',
    '-',
    '0ms',
    '9223372036854775807ms',
    '9223372036854775808ms',
    '-9223372036854775808ms',
    '106751991168d',
  ])('are read as Cedar reads them: duration %j', (text) => {
    expect(durationOf(text) !== undefined).toBe(isTaken('duration', text));
  });
});

describe('a JSON number', () => {
  it('is a decimal where it is one of four places, and the same one', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (units) => {
        const value = decimalOfNumber(units / 10_000);
        // Where two decimals are read as one number, it is neither.
        if (Math.abs(units) < 2 ** 51) expect(value?.units).toBe(units === 0 ? 0 : units);
        else if (value !== undefined) expect(Number(value.units) / 10_000).toBe(units / 10_000);
      }),
    );
  });

  it.each([0.00001, 1 / 3, 0.1 + 0.2, 1e300, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('%d is none', (value) => {
    expect(decimalOfNumber(value)).toBeUndefined();
  });
});
