import { hash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hopMethods, keeperOf, keptId } from './constants.ts';
import {
  argumentsTextIn,
  callFrame,
  errorFrame,
  notificationFrame,
  readCallParams,
  readFrame,
  requestFrame,
  resultFrame,
} from './frames.ts';
import type { CallClaims } from './messages.ts';

const claims = fc.record<CallClaims>(
  {
    tool: fc.string(),
    call: fc.uuid(),
    seq: fc.nat(),
    audience: fc.string(),
    traceparent: fc.string(),
    tracestate: fc.string(),
    timeoutMs: fc.nat(),
    transport: fc.constantFrom('http', 'ws'),
    progress: fc.constant(true),
    needs: fc.array(fc.string()),
    principal: fc.record({
      subject: fc.string(),
      client: fc.string(),
      kind: fc.constantFrom('agent' as const, 'owner' as const),
      scopes: fc.array(fc.string()),
      attributes: fc.dictionary(fc.string(), fc.string()),
    }),
  },
  { requiredKeys: ['tool', 'call', 'seq', 'audience', 'traceparent', 'timeoutMs', 'transport', 'principal'] },
);
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)));
const object = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)));
const id = fc.oneof(fc.nat(), fc.string());

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const sha256 = (text: string): string => hash('sha256', text, 'base64url');

function line(frame: string): string {
  expect(frame.indexOf('\n')).toBe(frame.length - 1);
  return frame.slice(0, -1);
}

test('a call reads back as what was written, however its arguments are laid out', () => {
  fc.assert(
    fc.property(claims, object, fc.constantFrom(undefined, 2), (written, value, indent) => {
      const frame = readFrame(line(callFrame(written, JSON.stringify(value, null, indent), sha256)));
      expect(frame).toMatchObject({ kind: 'request', id: written.seq, method: 'call' });
      const params = frame?.kind === 'request' ? readCallParams(frame.params) : undefined;
      expect(params).toMatchObject({ ...(plain(written) as object), arguments: value });
      expect(Object.keys(params ?? {}).toSorted()).toEqual(
        [...Object.keys(plain(written) as object), 'arguments', 'digest', 'size'].toSorted(),
      );
    }),
  );
});

test('a call with everything that most calls lack reads back as what was written', () => {
  const texts = fc.record(
    {
      capabilities: object,
      logLevel: fc.string(),
      retry: fc.record({ requestState: fc.string(), inputResponses: object }, { requiredKeys: ['requestState'] }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(claims, object, texts, fc.constantFrom(...hopMethods), (written, value, extra, method) => {
      const { capabilities, logLevel, retry } = extra;
      const frame = callFrame(
        { ...written, method },
        {
          argumentsText: JSON.stringify(value),
          ...(capabilities && { capabilitiesText: JSON.stringify(capabilities, null, 1) }),
          ...(logLevel !== undefined && { logLevel }),
          ...(retry && {
            retry: {
              requestState: retry.requestState,
              ...(retry.inputResponses && { inputResponsesText: JSON.stringify(retry.inputResponses, null, 1) }),
            },
          }),
        },
        sha256,
      );
      const read = readFrame(line(frame));
      const client = { ...(capabilities && { capabilities }), ...(logLevel !== undefined && { logLevel }) };
      expect(read?.kind === 'request' ? readCallParams(read.params) : undefined).toEqual({
        ...(plain(written) as object),
        arguments: value,
        digest: sha256(JSON.stringify(value)),
        size: JSON.stringify(value).length,
        ...(method !== 'tools/call' && { method }),
        ...(Object.keys(client).length > 0 && { client }),
        ...(retry && { retry }),
      });
    }),
  );
});

test('the arguments of a call are found where they were put, whatever else is in it', () => {
  const hostile = { x: { arguments: {}, digest: 'd', size: 2 }, '","arguments":{}}}': '}},"arguments":{}}}' };
  fc.assert(
    fc.property(claims, object, fc.constantFrom({}, hostile), (written, value, extra) => {
      const argumentsText = JSON.stringify({ ...value, ...extra });
      const capabilitiesText = JSON.stringify(extra);
      const text = line(callFrame(written, { argumentsText, capabilitiesText }, sha256));
      const read = readFrame(text);
      const params = read?.kind === 'request' ? readCallParams(read.params) : undefined;
      const found = params && argumentsTextIn(text, params);
      expect(found).toBe(argumentsText);
      expect(sha256(found ?? '')).toBe(params?.digest);
      expect(argumentsTextIn(text, { size: argumentsText.length + 1 })).toBeUndefined();
    }),
  );
});

test('what an instance keeps names the instance', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/), fc.base64String(), (instance, secret) => {
      expect(keeperOf(keptId(instance, secret))).toBe(instance);
    }),
  );
  for (const id of ['', 'nobody', '~x']) expect(keeperOf(id)).toBeUndefined();
});

test('a result comes out as the very text that was put in', () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(), fc.stringMatching(/^s[0-9]{1,9}$/)), json, (of, value) => {
      const resultText = JSON.stringify(value);
      expect(readFrame(line(resultFrame(of, resultText)))).toEqual({ kind: 'result', id: of, resultText });
    }),
  );
});

test('a result in another layout is read all the same', () => {
  expect(readFrame('{"id": 7, "result": {"a": 1}, "jsonrpc": "2.0"}')).toEqual({
    kind: 'result',
    id: 7,
    resultText: '{"a":1}',
  });
});

test('requests, notifications and errors read back as written', () => {
  fc.assert(
    fc.property(id, fc.string(), object, (of, method, params) => {
      expect(readFrame(line(requestFrame(of, method, params)))).toEqual({ kind: 'request', id: of, method, params });
      expect(readFrame(line(notificationFrame(method, params)))).toEqual({ kind: 'notification', method, params });
      const error = { code: 1, message: method, data: params };
      expect(readFrame(line(errorFrame(of, error)))).toEqual({ kind: 'error', id: of, error });
    }),
  );
});

test('what is no frame is not read as one', () => {
  const broken = [
    '',
    'null',
    '[]',
    '{}',
    '{"jsonrpc":"1.0","id":1,"method":"a"}',
    '{"jsonrpc":"2.0","id":null,"method":"a"}',
    '{"jsonrpc":"2.0","id":1.5,"method":"a"}',
    '{"jsonrpc":"2.0","id":1}',
    '{"jsonrpc":"2.0","id":1,"error":"x"}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"result":{}}',
    '{"jsonrpc":"2.0","id":1,"method":"a"',
  ];
  for (const text of broken) expect(readFrame(text), text).toBeUndefined();
});

test('a call with any claim missing or of another type is refused', () => {
  fc.assert(
    fc.property(claims, object, fc.nat(), (written, value, pick) => {
      const params = { ...(plain(written) as Record<string, any>), arguments: value, digest: 'd', size: 2 };
      const keys = Object.keys(params);
      const broken: Record<string, any> = { ...params, [keys[pick % keys.length] ?? '']: [null] };
      expect(readCallParams(broken)).toBeUndefined();
    }),
  );
});
