import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type AuditFilter,
  adminCall,
  auditKeys,
  auditVerifierKey,
  dataPaths,
  gatewayKeys,
  type StoredRecord,
  searchAudit,
  verifyAudit,
} from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import { type Program, repository, startNode, temporaryFolder } from './program.ts';

/** What the log holds of one call. */
export type CallRecord = Exclude<StoredRecord, { readonly kind: 'refusals' }>;

/** A service as the administration tells of it. */
export interface ServiceFacts {
  readonly name: string;
  readonly version: string;
  readonly instances: number;
  readonly state: string;
  readonly tools: readonly { readonly name: string }[];
}

/** A gateway in a process of its own, seen from outside. */
export interface TestGateway {
  readonly program: Program;
  readonly folder: string;
  readonly data: string;
  /** The MCP endpoint. */
  readonly mcp: URL;
  readonly admin: string;
  /** The token that `run` printed; empty for `serve`. */
  readonly token: string;
  /** Makes a token, over the owner's socket. */
  mint(account: string, scopes: readonly string[], kind?: 'agent' | 'person' | 'service'): Promise<string>;
  operate(operation: string, args?: JsonObject): Promise<any>;
  services(): Promise<readonly ServiceFacts[]>;
  /** Records of calls, oldest first. */
  records(filter?: AuditFilter, limit?: number): Promise<readonly CallRecord[]>;
  /** Checks the log, its end included. */
  verify(): Promise<{ readonly ok: boolean; readonly rows: number }>;
}

const main = join(repository, 'packages/cli/src/main.ts');

/** Where the words of `sallyport` begin, for Node. */
export const sallyport: readonly string[] = ['--disable-warning=ExperimentalWarning', main];

const { NODE_COMPILE_CACHE } = process.env;
/** Sources of services are compiled once for all tests. */
const compileCache = NODE_COMPILE_CACHE ? `, env: { NODE_COMPILE_CACHE: ${JSON.stringify(NODE_COMPILE_CACHE)} }` : '';

/** The blog's services, from a configuration that lies elsewhere. */
export const blogServices = ['users', 'posts', 'comments']
  .map((name) => {
    const more = { users: '', posts: ', dependsOn: [users], scopes: [users:read]', comments: ', scopes: [posts:read]' };
    return `  ${name}: { command: [node, ${name}.ts], cwd: ${repository}/examples/blog${compileCache}${more[name as keyof typeof more]} }`;
  })
  .join('\n');

/** One line of `services:` that runs the service of trials under a name. */
export function trialService(name: string, { instances = 1, more = '' } = {}): string {
  const file = join(import.meta.dirname, 'trials.ts');
  const env = more.includes('env:') ? '' : compileCache;
  return `  ${name}: { command: [node, ${file}, ${name}], cwd: ${repository}, watch: [], instances: ${instances}${env}${more} }`;
}

/** Writes a configuration into a folder: what is always the same, and what is given. */
export function writeConfig(folder: string, text: string): string {
  const file = join(folder, 'sallyport.yaml');
  const always = text.includes('listen:') ? '' : 'listen: { host: 127.0.0.1, port: 0 }\n';
  writeFileSync(file, `version: 1\ndata: data\n${always}admin: { host: 127.0.0.1, port: 0 }\n${text}`);
  return file;
}

/** Starts `sallyport run` or `serve` on a configuration and waits until it is ready. */
export async function startGateway(
  verb: 'run' | 'serve',
  config: string,
  { watch = false, env = {} }: { readonly watch?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<TestGateway> {
  const folder = dirname(config);
  const words = [verb, '--config', config, '--json', ...(verb === 'run' && !watch ? ['--no-watch'] : [])];
  const program = startNode([...sallyport, ...words], { cwd: folder, env });
  return follow(program, folder);
}

/** `sallyport run` with these services, in a folder of its own. */
export function startRun(services: string, more = ''): Promise<TestGateway> {
  return startGateway('run', writeConfig(temporaryFolder(), `services:\n${services}\n${more}`));
}

async function follow(program: Program, folder: string): Promise<TestGateway> {
  const ready = JSON.parse(await program.firstLine()) as { mcp: string; admin: string; token?: string };
  const data = join(folder, 'data');
  const paths = dataPaths(data);
  const operate = (operation: string, args: JsonObject = {}) =>
    adminCall({ socketPath: paths.adminSocket }, operation, { args }) as Promise<any>;
  return {
    program,
    folder,
    data,
    mcp: new URL(ready.mcp),
    admin: ready.admin,
    token: ready.token ?? '',
    mint: async (account, scopes, kind = 'agent') =>
      (await operate('tokens.create', { account, scopes, kind })).token as string,
    operate,
    services: async () => (await operate('catalog.show')).services,
    records: async (filter = {}, limit = 1_000) =>
      (await searchAudit(paths.audit, filter, { limit }))
        .map(({ record }) => record)
        .filter((record): record is CallRecord => record.kind !== 'refusals')
        .reverse(),
    verify: async () => {
      const keys = auditKeys(gatewayKeys({ masterKeyFile: join(folder, 'data-keys/master.key') }));
      return verifyAudit(paths.audit, { keys: [await auditVerifierKey(paths.audit, keys)] });
    },
  };
}
