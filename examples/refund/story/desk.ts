import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Agent, connectAgent, type Running, startExample } from '@sallyport/example-stage';
import { z } from 'zod';

/** The refund tool, by the name it has behind the gateway. */
export const refund = 'payments.Payments.Refund';

/** What was said to a call over REST. */
export interface Told {
  readonly status: number;
  readonly reason: string | undefined;
  /** For a call that waits: its approval. */
  readonly approval: string | undefined;
  readonly text: string;
}

/** Payments behind their gateway, and the people around them. */
export interface Desk extends Pick<Running, 'sallyport' | 'sallyportAs' | 'killAndRestart' | 'close'> {
  /** Makes a token. */
  token(name: string, kind: 'person' | 'agent', ...scopes: readonly string[]): Promise<string>;
  agent(token: string): Promise<Agent>;
  /** Asks once, and does not wait for people. */
  ask(token: string, tool: string, input: object): Promise<Told>;
  /** The id of the newest request that waits for people, once there is one. */
  waiting(): Promise<string>;
  /** Adds a policy, or takes it away, and waits until the gateway goes by it. */
  policy(name: string, text: string | undefined): Promise<void>;
}

const example = fileURLToPath(new URL('..', import.meta.url));
const minted = z.object({ token: z.string() });
const listed = z.object({ approvals: z.array(z.object({ id: z.string(), state: z.string() })) });
const inForce = z.object({ revision: z.string() });
const answer = z.looseObject({
  error: z
    .looseObject({
      reason: z.string(),
      message: z.string(),
      question: z.string().optional(),
    })
    .optional(),
});

/** Starts the example with a configuration of the story's own: the same, with its policies where they can be changed. */
export async function startDesk(): Promise<Desk> {
  const running = await startExample(writeConfig, { watch: true });
  const asOwner = async <Shape>(shape: z.ZodType<Shape>, ...words: readonly string[]): Promise<Shape> =>
    shape.parse(JSON.parse(await running.sallyport(...words, '--json')));
  return {
    ...running,
    token: async (name, kind, ...scopes) =>
      (await asOwner(minted, 'token', 'create', '--name', name, '--kind', kind, '--scope', scopes.join(','))).token,
    agent: (token) => connectAgent(running.mcpUrl(), token),
    ask: (token, tool, input) => ask(running.mcpUrl(), token, { tool, input }),
    async waiting() {
      for (;;) {
        const { approvals } = await asOwner(listed, 'approvals', 'list');
        const found = approvals.find(({ state }) => state === 'pending');
        if (found !== undefined) return found.id;
        await delay(100);
      }
    },
    async policy(name, text) {
      const before = await asOwner(inForce, 'policy', 'list');
      const file = join(running.folder, 'policies', `${name}.policy.yaml`);
      if (text === undefined) rmSync(file);
      else writeFileSync(file, text);
      for (let after = before; after.revision === before.revision; await delay(100)) {
        after = await asOwner(inForce, 'policy', 'list');
      }
    },
  };
}

function writeConfig(folder: string): string {
  cpSync(join(example, 'policies'), join(folder, 'policies'), { recursive: true });
  const file = join(folder, 'sallyport.yaml');
  const service = `payments: { command: [node, payments.ts], cwd: ${JSON.stringify(example)} }`;
  writeFileSync(file, `version: 1\nservices:\n  ${service}\npolicy: { environment: production }\n`);
  return file;
}

async function ask(mcpUrl: string, token: string, call: object): Promise<Told> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const response = await fetch(`${mcpUrl}/call`, { method: 'POST', headers, body: JSON.stringify(call) });
  const { error } = answer.parse(await response.json());
  const text = error?.message ?? '';
  return { status: response.status, reason: error?.reason, approval: error?.question, text };
}
