import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminCall } from '@sallyport/gateway';
import type { JsonObject } from '@sallyport/protocol';
import type { CliResult } from '../../packages/cli/src/cli.fixture.ts';
import { startGateway, type TestGateway, writeConfig } from '../e2e/support/gateway.ts';
import { repository, temporaryFolder } from '../e2e/support/program.ts';

/** The tool that has to be approved over 100. */
export const refundTool = 'payments.Payments.Refund';

/** What it is under, unless said otherwise. */
export const policy = `tool: ${refundTool}
approval: { when: { amount: { over: 100 } }, scope: payments:approve, life: 30m, why: A refund of more than 100. }
`;

/** A gateway with the service of refunds and a policy for it. */
export interface Refunds {
  readonly gateway: TestGateway;
  readonly config: string;
  /** What was paid, oldest first: `order amount`. */
  paid(): readonly string[];
  /** Replaces the policy; the gateway takes it as soon as it sees it. */
  setPolicy(text: string): void;
}

/** Writes the configuration, and starts `sallyport run` on it. */
export async function startRefunds(
  more = '',
  { text = policy, env: own = {} }: { readonly text?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Refunds> {
  const folder = temporaryFolder();
  const ledger = join(folder, 'ledger');
  const service = join(import.meta.dirname, 'payments.ts');
  const setPolicy = (next: string): void => writeFileSync(join(folder, 'policies/refunds.policy.yaml'), next);
  mkdirSync(join(folder, 'policies'));
  setPolicy(text);
  const compileCache = process.env.NODE_COMPILE_CACHE;
  const env = { LEDGER: ledger, ...(compileCache && { NODE_COMPILE_CACHE: compileCache }) };
  const config = writeConfig(
    folder,
    `services:\n  payments: { command: [node, ${service}], cwd: ${repository}, watch: [], env: ${JSON.stringify(env)} }\n${more}`,
  );
  const gateway = await startGateway('run', config, { watch: true, env: own });
  const paid = () => (existsSync(ledger) ? readFileSync(ledger, 'utf8').trimEnd().split('\n') : []);
  return { gateway, config, paid, setPolicy };
}

/** What a call over REST came to. */
export interface Called {
  readonly status: number;
  readonly result?: unknown;
  readonly reason?: string;
  readonly approval?: string;
  readonly reasons?: readonly string[];
}

/** Asks for a refund, over REST: the answer comes at once, whether it waits or not. */
export async function refund(
  { mcp }: Pick<TestGateway, 'mcp'>,
  token: string,
  input: object | string,
): Promise<Called> {
  const text = typeof input === 'string' ? input : JSON.stringify(input);
  const response = await fetch(new URL('/mcp/call', mcp), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: `{"tool":${JSON.stringify(refundTool)},"input":${text}}`,
  });
  const { result, error } = (await response.json()) as {
    readonly result?: unknown;
    readonly error?: { readonly reason: string; readonly question?: string } & Omit<Called, 'status' | 'reason'>;
  };
  if (error === undefined) return { status: response.status, result };
  const approval = error.question ?? error.approval;
  return {
    ...{ status: response.status, reason: error.reason },
    ...(approval !== undefined && { approval }),
    ...(error.reasons && { reasons: error.reasons }),
  };
}

/** Administration as somebody with a token. */
export function as({ admin }: Pick<TestGateway, 'admin'>, token: string) {
  return (operation: string, args: JsonObject = {}) =>
    adminCall({ url: admin, token }, operation, { args }) as Promise<any>;
}

/** Runs one command of `sallyport` and returns what it said. */
export async function command(
  { folder }: Pick<TestGateway, 'folder'>,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const { cli } = await import('../../packages/cli/src/cli.fixture.ts');
  return cli(words, { cwd: folder, env });
}
