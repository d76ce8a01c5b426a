import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { defaultDpop } from '../authentication/settings.ts';
import { loadConfig } from './load.ts';
import { makeConfigFolder } from './testing/config-folder.ts';

const folder = makeConfigFolder();
const { write, problemsOf, problemOf } = folder;
afterAll(folder.remove);

test('the smallest file gives a total configuration with absolute paths', async () => {
  const { config, files, revision } = await loadConfig(write('version: 1\n'));
  expect(config).toMatchObject({
    data: join(folder.path, '.sallyport'),
    masterKeyFile: join(folder.path, '.sallyport-keys/master.key'),
    listen: { host: '127.0.0.1', port: 3000 },
    admin: { host: '127.0.0.1', port: 3001 },
    announce: { socket: join(folder.path, '.sallyport/hop.sock'), credentials: [] },
    tools: [],
    limits: { presets: { read: { rate: 50, burst: 100 }, expensive: { rate: 2, burst: 5 } }, headersTimeoutMs: 10_000 },
    auth: {
      maxTokenLifeMs: 90 * 86_400_000,
      settings: { issuers: [], certificates: [], anonymous: [], dpop: defaultDpop },
      issuerNetworks: [],
      certificateProxies: [],
      resource: { scopes: [] },
    },
    audit: { refusalsPerPeer: 20, refusalWindowMs: 60_000 },
  });
  expect(files).toEqual([join(folder.path, 'sallyport.yaml'), join(folder.path, 'policies')]);
  expect(revision).toMatch(/^[0-9a-f]{64}$/);
});

test('every kind of service, override and unit is understood', async () => {
  write('{}', 'posts.json');
  const { config, files } = await loadConfig(
    write(`
version: 1
data: state
services:
  users: { command: [node, users.ts], cwd: ., env: { PORT: 80, DEBUG: true, NAME: x }, scopes: [posts:read] }
  posts: { address: 'unix:run/posts.sock', credential: posts.json, dependsOn: [users] }
  other: { address: 'http://127.0.0.1:9000/mcp', methods: [acme/reindex] }
  files: { stdio: [npx, server-files, /tmp], env: { LEVEL: 3 }, isolation: caller, processes: { max: 8 } }
  memory: { stdio: [memory], startTimeout: 5s, methods: [acme/forget] }
views:
  support: { tools: ['posts.*', users.Get], prompts: ['posts.prompts/*'], names: safe }
  docs: { resources: ['posts.resources/file:///docs/*'] }
tools:
  'posts.*': { limit: { preset: write, perTool: 600/m }, timeout: 1.5s }
  '*.Delete': { scopes: [posts:admin], limit: { rate: 5 }, internal: true, auditRequired: true }
limits: { maxRequestBytes: 64KiB, denied: 10/s, sessions: { max: 20, idle: 5s } }
announce: { listen: '[::]:4222', credentials: [{ file: posts.json }] }
`),
  );
  expect({ ...config.services }).toEqual({
    users: {
      kind: 'command',
      command: ['node', 'users.ts'],
      cwd: folder.path,
      env: { PORT: '80', DEBUG: 'true', NAME: 'x' },
      watch: [folder.path],
      dependsOn: [],
      instances: 1,
      scopes: ['posts:read'],
    },
    posts: {
      kind: 'static',
      address: `unix:${join(folder.path, 'run/posts.sock')}`,
      credential: join(folder.path, 'posts.json'),
      dependsOn: ['users'],
      scopes: [],
    },
    other: {
      kind: 'mcp',
      credential: { kind: 'none' },
      address: 'http://127.0.0.1:9000/mcp',
      methods: ['acme/reindex'],
      dependsOn: [],
      scopes: [],
    },
    files: {
      kind: 'stdio',
      secretEnv: {},
      command: ['npx', 'server-files', '/tmp'],
      cwd: folder.path,
      env: { LEVEL: '3' },
      isolation: 'caller',
      processes: { max: 8, idleMs: 600_000 },
      startTimeoutMs: 60_000,
      methods: [],
      dependsOn: [],
      scopes: [],
    },
    memory: {
      kind: 'stdio',
      secretEnv: {},
      command: ['memory'],
      cwd: folder.path,
      env: {},
      isolation: 'shared',
      processes: { max: 32, idleMs: 600_000 },
      startTimeoutMs: 5_000,
      methods: ['acme/forget'],
      dependsOn: [],
      scopes: [],
    },
  });
  expect(config.tools).toEqual([
    { pattern: 'posts.*', limit: { preset: 'write', perTool: { rate: 10, burst: 600 } }, timeoutMs: 1500 },
    {
      pattern: '*.Delete',
      scopes: ['posts:admin'],
      limit: { perPrincipal: { rate: 5, burst: 5 } },
      internal: true,
      auditRequired: true,
    },
  ]);
  expect({ ...config.views }).toEqual({
    support: { tools: ['posts.*', 'users.Get'], prompts: ['posts.prompts/*'], resources: [], names: 'safe' },
    docs: { tools: [], prompts: [], resources: ['posts.resources/file:///docs/*'], names: 'dotted' },
  });
  expect(config.limits).toMatchObject({
    maxRequestBytes: 65_536,
    denied: { rate: 10, burst: 10 },
    sessions: { max: 20, perPrincipal: 1_000, idleMs: 5_000 },
    parked: { max: 1_000, perPrincipal: 50, timeMs: 600_000 },
  });
  expect(config.catalog).toEqual({ serverCards: false });
  expect(config.announce).toMatchObject({ listen: { host: '::', port: 4222 } });
  expect(files).toEqual([
    join(folder.path, 'sallyport.yaml'),
    join(folder.path, 'posts.json'),
    join(folder.path, 'policies'),
  ]);
});

test('a loopback listener by any name, TLS, or a trusted proxy is enough to listen', async () => {
  write('x', 'tls.pem');
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1', '::ffff:127.0.0.1']) {
    expect(await problemsOf(`version: 1\nlisten: { host: '${host}' }`)).toEqual([]);
  }
  expect(await problemsOf('version: 1\nlisten: { host: 0.0.0.0, tls: { cert: tls.pem, key: tls.pem } }')).toEqual([]);
  expect(await problemsOf('version: 1\nlisten: { host: 0.0.0.0 }\ntrustedProxies: [10.0.0.0/8]')).toEqual([]);
});

test('a name that only looks like this machine is not this machine', async () => {
  for (const host of ['localhost.example.com', '127.evil.example', '::ffff:10.0.0.1', '0.0.0.0', '::']) {
    expect(await problemsOf(`version: 1\nlisten: { host: '${host}' }`)).toHaveLength(1);
  }
});

test('files that are named must exist, each is told', async () => {
  const problems = await problemsOf(`version: 1
listen: { tls: { cert: no.pem, key: no.key } }
announce: { credentials: [{ file: no1.json }] }
services:
  a: { address: 'tls:h:1', credential: no2.json }
  b: { command: [x], cwd: nowhere }
`);
  expect(problems.map(({ line, column }) => `${line}:${column}`)).toEqual(['2:24', '2:37', '3:35', '5:40', '6:27']);
});

test('all problems are told at once, in the order of the file', async () => {
  const problems = await problemsOf(
    'lissten: {}\nversion: 3\nservices: { a: {}, b: { comand: [x] } }\nadmin: { host: 10.0.0.1 }\n',
  );
  expect(problems.map(({ line }) => line)).toEqual([1, 2, 3, 3, 4]);
});

test('the message for a terminal shows file, place, line and a mark under the culprit', async () => {
  const path = write('version: 1\nlisten: { prot: 1 }\n');
  await expect(loadConfig(path)).rejects.toThrow(
    [
      `${path}:2:11 unknown key "prot" in listen; did you mean "port"?`,
      '    2 | listen: { prot: 1 }',
      '      |           ^^^^',
    ].join('\n'),
  );
});

test('environment values and passwords in URLs never show in a message', async () => {
  const texts = [
    'version: 1\nservices: { a: { comand: [x], env: { KEY: hunter2, B: "hunter2" } } }',
    'version: 1\nservices: { a: { address: "http://u:hunter2@h/", env: { KEY: hunter2 } } }',
    'version: 1\nservices: { a: { command: [x], env: { KEY: hunter2, KEY: hunter2 } } }',
  ];
  for (const text of texts) {
    const problems = await problemsOf(text);
    expect(problems).not.toEqual([]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  }
});

test('aliases work, alias bombs and foreign tags do not', async () => {
  expect(await problemsOf('version: 1\nlimits: { denied: &r { rate: 1, burst: 1 }, peer: *r }')).toEqual([]);
  const bomb = ['version: 1', 'a: &a [x,x,x,x,x,x,x,x,x,x]'];
  for (let level = 0; level < 8; level++) {
    const previous = String.fromCharCode(97 + level);
    bomb.push(
      `${String.fromCharCode(98 + level)}: &${String.fromCharCode(98 + level)} [${`*${previous},`.repeat(10)}]`,
    );
  }
  expect(await problemOf(bomb.join('\n'))).toMatch(/alias/i);
  expect(await problemOf('version: 1\ndata: !!js/function "x"')).toMatch(/^2:7 unresolved tag/);
});

test('what is not a text file is refused', async () => {
  expect(await problemOf(Uint8Array.of(0xff, 0xfe, 0x00))).toBe('1:1 the file is not UTF-8 text');
  await expect(loadConfig(join(folder.path, 'absent.yaml'))).rejects.toThrow(/absent\.yaml:1:1 there is no such file/);
  await expect(loadConfig(folder.path)).rejects.toThrow(/there is no such file/);
});

test('the revision follows the content of the file and of the credentials it names', async () => {
  write('one', 'c.json');
  const path = write('version: 1\nannounce: { credentials: [{ file: c.json }] }');
  const first = (await loadConfig(path)).revision;
  expect((await loadConfig(path)).revision).toBe(first);
  write('two', 'c.json');
  expect((await loadConfig(path)).revision).not.toBe(first);
});

test('names of object internals are lawful service names and nothing leaks from prototypes', async () => {
  const { config } = await loadConfig(write('version: 1\nservices: { constructor: { command: [x] } }'));
  expect(config.services.constructor).toMatchObject({ kind: 'command' });
  expect(config.services.valueOf).toBeUndefined();
  expect(await problemsOf('version: 1\nservices: { __proto__: { command: [x] } }')).toHaveLength(1);
});

test('whatever a file holds, it is loaded or refused with places, never anything else', async () => {
  const keys = fc.constantFrom(
    'version',
    'listen',
    'host',
    'port',
    'tls',
    'services',
    'tools',
    'limits',
    'env',
    '__proto__',
    'constructor',
    'a',
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(keys, tie('any'), { maxKeys: 4 }),
    ),
  })).any;
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        value.map((data) => JSON.stringify(data)),
        fc.string(),
      ),
      async (text) => {
        for (const { line, column, message } of await problemsOf(text)) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toBe('');
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('policies are read with the configuration, all or nothing, and can be left alone', async () => {
  const other = makeConfigFolder();
  try {
    mkdirSync(join(other.path, 'policies'));
    const path = other.write(
      'version: 1\npolicy: { default: deny, environment: staging, attributes: { level: long } }\n',
    );
    other.write('tool: a.B\nallowed: [agent:x]\n', 'policies/a.policy.yaml');
    const { config, files, revision } = await loadConfig(path);
    expect(config.policy).toMatchObject({
      settings: { default: 'deny', environment: 'staging', attributes: { level: 'long' } },
      source: { tools: [{ stem: 'a' }] },
      external: [],
    });
    expect(files).toContain(join(other.path, 'policies/a.policy.yaml'));
    other.write('tool: a.B\nallowed: [agent:y]\n', 'policies/a.policy.yaml');
    expect((await loadConfig(path)).revision).not.toBe(revision);
    other.write('tool: a.B\nlimit: 5 per h\n', 'policies/a.policy.yaml');
    await expect(loadConfig(path)).rejects.toThrow(
      join(other.path, 'policies/a.policy.yaml:2:1 limit goes with allowed where policy.default is deny'),
    );
    other.write('tool: [', 'policies/a.policy.yaml');
    await expect(loadConfig(path)).rejects.toThrow(join(other.path, 'policies/a.policy.yaml:1:8'));
    expect((await loadConfig(path, { withoutPolicies: true })).config.policy.source.files).toEqual([]);
  } finally {
    other.remove();
  }
});

test('a folder of policies that is a link to nowhere is a problem, not a configuration without policies', async () => {
  const other = makeConfigFolder();
  try {
    symlinkSync('mounted-later', join(other.path, 'policies'));
    const path = other.write('version: 1\n');
    await expect(loadConfig(path)).rejects.toThrow('there is no such file or folder');
    mkdirSync(join(other.path, 'mounted-later'));
    other.write('tool: a.B\nlimit: 5 per 1h\n', 'mounted-later/a.policy.yaml');
    expect((await loadConfig(path)).config.policy.source.tools).toHaveLength(1);
  } finally {
    other.remove();
  }
});
