import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fromRevision, toRevision } from './revision.ts';
import { hasProblems, loadPolicies, parsePolicies } from './source.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `file:line:column message` of each problem. */
async function problemsOf(name: string, text: string): Promise<readonly string[]> {
  const read = await parsePolicies([{ name, text }]);
  return hasProblems(read) ? read.problems.map((one) => `${one.line}:${one.column} ${one.message}`) : [];
}

const named = 'forbid(principal, action, resource);';

describe('a Cedar file', () => {
  it('is read policy by policy, whatever stands between them', async () => {
    const text = `// a comment; with a semicolon
@id("one") ${named}

@id("two") // another; one
@reason("a; b \\" c")
permit(principal, action, resource) when { "é;" like "*;" }; @id("three")
@mode("shadow")
${named}
// the end;`;
    const read = await parsePolicies([{ name: 'a.cedar', text }]);
    if (hasProblems(read)) throw new Error(JSON.stringify(read.problems));
    expect(read.cedar.map(({ id, effect, shadow, place }) => [id, effect, shadow, place?.line, place?.column])).toEqual(
      [
        ['one', 'forbid', false, 2, 1],
        ['two', 'permit', false, 4, 1],
        ['three', 'forbid', true, 6, 62],
      ],
    );
    expect(read.cedar[1]?.annotations).toEqual({ id: 'two', reason: 'a; b " c' });
  });

  it.each([
    ['a syntax error', '@id("x")\nforbid(principal, action, resource) when { 1 + };', '2:48 unexpected token `}`'],
    ['an error after letters of two bytes', `// éé\n@id("x") ${named} é`, '2:47 invalid token'],
    [
      'an unfinished string',
      '@id("x") forbid(principal, action, resource) when { "a };',
      '1:53 invalid token; try checking that all strings are closed properly',
    ],
    ['no semicolon', `@id("x") ${named.slice(0, -1)}`, '1:45 unexpected end of input'],
    ['no name', `\n  ${named}`, '2:3 the policy has no name: write @id("…") before it'],
    [
      'a name with blanks',
      `@id("a b") ${named}`,
      "1:1 @id: expected a name of letters, digits and ._/:*-, at most 200 long, and not one of the gateway's own",
    ],
    [
      'a mistyped annotation',
      `@id("x")\n @raeson("y") ${named}`,
      '2:2 there is no annotation @raeson; did you mean "@reason"?',
    ],
    [
      'an obligation of a forbid',
      `@id("x") @approve("a:b") ${named}`,
      '1:10 @approve goes with permit: a forbid refuses, and asks for nothing',
    ],
    [
      'a number of approvals alone',
      '@id("x") @approvals("2") permit(principal, action, resource);',
      '1:10 @approvals goes with @approve',
    ],
    [
      'a life that is no duration',
      '@id("x") @approve("a:b") @approval_life("soon") permit(principal, action, resource);',
      '1:26 @approval_life: expected a duration like 30m',
    ],
    [
      'a limit that is none',
      '@id("x") @limit("5/h") permit(principal, action, resource);',
      '1:10 @limit: expected a limit like 5 per 1h',
    ],
    [
      'a pointer that is none',
      '@id("x") @redact("a.b") permit(principal, action, resource);',
      '1:10 @redact: expected JSON pointers like /structuredContent/iban, with a space between them',
    ],
    ['a mode that is none', `@id("x") @mode("off") ${named}`, '1:10 @mode: expected shadow'],
    [
      'a template',
      '@id("x") permit(principal == ?principal, action, resource);',
      '1:30 templates are not for here: write the policy with its principal and resource',
    ],
  ])('with %s says where', async (_, text, problem) => {
    expect(await problemsOf('a.cedar', text)).toEqual([problem]);
  });

  it('says which annotations there are where none is near', async () => {
    expect(await problemsOf('a.cedar', `@id("x") @zzzzzz("y") ${named}`)).toEqual([
      expect.stringMatching(/^1:10 there is no annotation @zzzzzz; there are @id, @reason, @mode, /),
    ]);
  });

  it('may not name two policies alike, nor may two files', async () => {
    const read = await parsePolicies([
      { name: 'a.cedar', text: `@id("x") ${named}\n@id("y") ${named}` },
      { name: 'b.cedar', text: `\n@id("x") ${named}` },
    ]);
    expect(hasProblems(read) && read.problems).toEqual([
      {
        file: 'b.cedar',
        line: 2,
        column: 1,
        message: '@id("x") is the name of another policy, at a.cedar:1',
        frame: '',
      },
    ]);
  });
});

describe('a tool policy', () => {
  it('may not have the name that something else decides under', async () => {
    const read = await parsePolicies([{ name: 'a/external.policy.yaml', text: 'tool: a.B' }]);
    expect(hasProblems(read) && read.problems[0]?.message).toBe(
      'the gateway itself decides under the name external: give the file another one',
    );
    expect(await problemsOf('a.cedar', `@id("scopes") ${named}`)).toEqual([
      expect.stringMatching(/^1:1 @id: expected/),
    ]);
  });

  it.each([
    ['no tool', 'owner: me', '1:1 tool is missing: expected names or patterns of tools'],
    ['a mistyped key', 'tool: a.B\nalowed: [agent:x]', '2:1 unknown key "alowed"; did you mean "allowed"?'],
    [
      'a mistyped bound',
      'tool: a.B\narguments: { n: { mxa: 5 } }',
      '2:19 unknown key "mxa" in arguments.n; did you mean "max"?',
    ],
    [
      'a bound in quotes',
      'tool: a.B\narguments: { n: { max: "5" } }',
      '2:24 arguments.n.max: expected a number, or numbers by currency like { EUR: 500, USD: 550 }, found "5"',
    ],
    [
      'a caller of no kind',
      'tool: a.B\nallowed: [bob]',
      '2:11 allowed[0]: expected a caller: agent:, app:, user:, group:, service:, scope:, client:, tenant: or kind: and a name, or *, found "bob"',
    ],
    [
      'nobody allowed',
      'tool: a.B\nallowed: []',
      '2:10 allowed: expected at least one caller; nobody is allowed by a forbid in Cedar, found a list',
    ],
    [
      'a pattern of groups',
      'tool: a.B\nallowed: ["group:fin-*"]',
      '2:11 allowed[0]: expected a group, scope or kind by its whole name, found "group:fin-*"',
    ],
    [
      'a day that is none',
      'tool: a.B\nwindows: { days: mon-fry, zone: Europe/Berlin }',
      '2:18 windows.days: expected days like mon-fri, found "mon-fry"',
    ],
    [
      'a time that is none',
      'tool: a.B\nwindows: { from: "8:00", zone: Europe/Berlin }',
      '2:18 windows.from: expected a time like "08:00", found "8:00"',
    ],
    [
      'no zone',
      'tool: a.B\nwindows: { from: "08:00" }',
      '2:10 windows.zone is missing: expected a time zone like Europe/Berlin',
    ],
    [
      'a zone that is none',
      'tool: a.B\nwindows: { zone: Europe/Berln }',
      '2:18 windows.zone: expected a time zone like Europe/Berlin, found "Europe/Berln"',
    ],
    [
      'an offset for a zone',
      'tool: a.B\nwindows: { zone: "+01:00" }',
      '2:18 windows.zone: expected a time zone like Europe/Berlin, found "+01:00"',
    ],
    [
      'an approval without a scope',
      'tool: a.B\napproval: { when: { n: { over: 1 } } }',
      '2:11 approval.scope is missing: expected a scope like posts:write',
    ],
    ['a limit that is none', 'tool: a.B\nlimit: 5/h', '2:8 limit: expected a limit like 20 per 1h, found "5/h"'],
    ['a key twice', 'tool: a.B\ntool: a.C', '2:1 map keys must be unique'],
    ['no YAML', 'tool: [', '1:8 flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['nothing in it', '# nothing\n', '1:1 there is no policy in the file'],
    [
      'a mistake in its second document',
      'tool: a.B\n---\ntool: a.C\nauditt: required',
      '4:1 unknown key "auditt"; did you mean "audit"?',
    ],
  ])('with %s says where', async (_, text, problem) => {
    expect(await problemsOf('a.policy.yaml', text)).toEqual([problem]);
  });

  it('may be one of several with the same name', async () => {
    const read = await parsePolicies([
      { name: 'a/x.policy.yaml', text: 'tool: a.B' },
      { name: 'b/x.policy.yml', text: 'tool: a.B' },
    ]);
    expect(hasProblems(read) && read.problems[0]).toMatchObject({
      ...{ file: 'b/x.policy.yml', line: 1, column: 1 },
      message: 'a/x.policy.yaml has the same name, by which rules are known: rename one of them',
    });
  });
});

describe('loading', () => {
  const write = (name: string, text: string | Uint8Array) => {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  };

  it('takes files and folders through and through, and nothing else', async () => {
    write('policies/a.cedar', `@id("a") ${named}`);
    write('policies/deep/b.policy.yaml', 'tool: a.B');
    write('policies/README.md', 'not a policy');
    write('policies/x.policy-test.yaml', 'cases: []');
    write('single.cedar', `@id("b") ${named}`);
    const loaded = await loadPolicies({ paths: ['policies', 'single.cedar'], folder });
    if (hasProblems(loaded)) throw new Error(JSON.stringify(loaded));
    expect(loaded.files.map(({ name }) => name)).toEqual([
      'policies/a.cedar',
      'policies/deep/b.policy.yaml',
      'single.cedar',
    ]);
    expect(loaded.watched).toContain(join(folder, 'policies'));
  });

  it('sees each file once where a folder is mounted by Kubernetes', async () => {
    write('mounted/..2026_11_21/a.cedar', `@id("a") ${named}`);
    symlinkSync('..2026_11_21', join(folder, 'mounted/..data'));
    symlinkSync('..data/a.cedar', join(folder, 'mounted/a.cedar'));
    const loaded = await loadPolicies({ paths: ['mounted'], folder });
    expect(!hasProblems(loaded) && loaded.files.map(({ name }) => name)).toEqual(['mounted/a.cedar']);
  });

  it('says what is not there, and what is not text', async () => {
    write('bad/a.cedar', new Uint8Array([0xff, 0xfe]));
    const loaded = await loadPolicies({ paths: ['bad', 'none', 'policies/README.md'], folder });
    expect(hasProblems(loaded) && loaded.problems.map(({ file, message }) => `${file} ${message}`)).toEqual([
      'none there is no such file or folder',
      'policies/README.md expected a file *.cedar or *.policy.yaml, or a folder of them',
      'bad/a.cedar the file is not UTF-8 text',
    ]);
  });

  it('gives equal policies equal revisions, which can be read again', async () => {
    const files = [
      { name: 'b.policy.yaml', text: 'tool: a.B' },
      { name: 'a.cedar', text: `@id("a") ${named}` },
    ];
    const settings = { default: 'scopes', attributes: { b: 'long', a: 'string' } } as const;
    const [one, other] = [await parsePolicies(files), await parsePolicies(files.toReversed())];
    if (hasProblems(one) || hasProblems(other)) throw new Error('problems');
    const revision = toRevision({ source: one, settings });
    const turned = { ...settings, attributes: { a: 'string', b: 'long' } } as const;
    expect(toRevision({ source: other, settings: turned })).toEqual(revision);
    expect(toRevision({ source: one, settings: { ...settings, environment: 'x' } }).id).not.toBe(revision.id);
    const again = await fromRevision(revision);
    expect(toRevision(again)).toEqual(revision);
    await expect(fromRevision({ ...revision, files: [{ name: 'a.cedar', text: 'forbid' }] })).rejects.toThrow(
      'a.cedar:1:7',
    );
  });

  it('reads or refuses whatever a file holds, never anything else', async () => {
    const pieces = fc.constantFrom(
      '@id("x")',
      '"',
      '\\',
      ';',
      '//',
      '\n',
      'forbid(principal, action, resource)',
      'when {',
      '}',
      'tool: ',
      '- ',
      '{',
      'a.B',
      '?',
      'é',
      '\u0000',
      '---\n',
      '&a ',
      '*a',
    );
    const texts = fc.array(pieces, { maxLength: 12 }).map((some) => some.join(''));
    await fc.assert(
      fc.asyncProperty(texts, fc.constantFrom('x.cedar', 'x.policy.yaml'), async (text, name) => {
        const read = await parsePolicies([{ name, text }]);
        if (!hasProblems(read)) return;
        for (const { line, column, message } of read.problems) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toBe('');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a folder of policies that cannot be seen whole', () => {
  const good = '@id("a") forbid(principal, action, resource);';

  it.runIf(process.getuid?.() !== 0)('is a problem, and never a folder without policies', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
    mkdirSync(join(folder, 'policies/team'), { recursive: true });
    writeFileSync(join(folder, 'policies/a.cedar'), good);
    chmodSync(join(folder, 'policies/team'), 0);
    const loaded = await loadPolicies({ paths: ['policies'], folder });
    chmodSync(join(folder, 'policies/team'), 0o700);
    rmSync(folder, { recursive: true });
    expect(loaded).toMatchObject({
      problems: [{ file: 'policies', message: expect.stringContaining('cannot be read') }],
    });
  });

  it('is a problem where a part of it is a link to elsewhere', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
    mkdirSync(join(folder, 'policies'));
    mkdirSync(join(folder, 'team'));
    writeFileSync(join(folder, 'team/a.cedar'), good);
    symlinkSync('../team', join(folder, 'policies/team'));
    const loaded = await loadPolicies({ paths: ['policies'], folder });
    rmSync(folder, { recursive: true });
    expect(loaded).toMatchObject({ problems: [{ message: expect.stringContaining('team is a link to a folder') }] });
  });

  it('is read to its end although something in it has none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-policies-'));
    symlinkSync('/dev/zero', join(folder, 'zero.cedar'));
    symlinkSync('nowhere', join(folder, 'gone.cedar'));
    execFileSync('mkfifo', [join(folder, 'pipe.policy.yaml')]);
    const loaded = await loadPolicies({ paths: ['.'], folder });
    rmSync(folder, { recursive: true });
    expect(loaded).toMatchObject({
      problems: [
        { file: 'gone.cedar', message: expect.stringContaining('cannot be read') },
        { file: 'pipe.policy.yaml', message: 'it is no file' },
        { file: 'zero.cedar', message: 'it is no file' },
      ],
    });
  });
});
