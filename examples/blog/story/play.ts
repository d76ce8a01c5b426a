import { type Agent, connectAgent, type Running, type Seen } from '@sallyport/example-stage';
import { z } from 'zod';
import { type AuditRecord, readRecords, type Span, spanTrees } from './audit.ts';
import { type Known, type Step, scopes, steps, visibleTools } from './steps.ts';

/** One step, played. */
export interface Played {
  readonly step: Step;
  /** How often it was called; more than once only for the limit. */
  readonly calls: number;
  readonly seen: Seen;
  /** The last call of the step, as the audit has it, with what it caused. */
  readonly span: Span | undefined;
  /** What is not as it should be, in words. */
  readonly problems: readonly string[];
}

/** The whole story, played. */
export interface Story {
  readonly protocolVersion: string;
  readonly tools: readonly string[];
  readonly played: readonly Played[];
  readonly audit: AuditProof;
  /** Everything that is not as it should be. */
  readonly problems: readonly string[];
}

/** What `sallyport audit verify` says. */
export interface AuditProof {
  readonly ok: boolean;
  readonly records: number;
  readonly endChecked: boolean;
  /** The newest call of the story: its hash covers every record before it. */
  readonly last: { readonly seq: number; readonly hash: string } | undefined;
}

const minted = z.object({ token: z.string(), id: z.string() });
const verified = z.object({ ok: z.boolean(), records: z.int(), checkpoints: z.int(), isKeyTrusted: z.boolean() });
const account = 'writer';

/** Plays the story against a running blog. */
export async function playStory(blog: Running): Promise<Story> {
  const token = minted.parse(
    JSON.parse(await blog.sallyport('token', 'create', '--json', '--name', account, '--scope', scopes.join(','))),
  );
  const agent = await connectAgent(blog.mcpUrl(), token.token);
  const tools = await agent.toolNames();
  const acted: Acted[] = [];
  let known: Known = { post: '' };
  for (const step of steps) {
    if (step.afterRevocation) await blog.sallyport('token', 'revoke', token.id);
    const { calls, seen } = await act(agent, step, known);
    acted.push({ step, calls, seen });
    if (step.tool === 'posts.PostService.Create' && seen.outcome === 'answered')
      known = { post: String(seen.value?.id) };
  }
  await agent.close();
  return prove({ blog, agent, tools, acted });
}

interface Acted {
  readonly step: Step;
  readonly calls: number;
  readonly seen: Seen;
}

async function act(agent: Agent, step: Step, known: Known): Promise<{ readonly calls: number; readonly seen: Seen }> {
  let calls = 0;
  for (;;) {
    const seen = await agent.call(step.tool, step.input(known));
    calls++;
    if (seen.outcome !== 'answered' || calls >= (step.atMost ?? 1)) return { calls, seen };
  }
}

interface Evidence {
  readonly blog: Running;
  readonly agent: Agent;
  readonly tools: readonly string[];
  readonly acted: readonly Acted[];
}

/** Reads the audit and holds everything against what was expected. */
async function prove({ blog, agent, tools, acted }: Evidence): Promise<Story> {
  const records = readRecords(await blog.sallyport('audit', 'search', '--json', '--limit', '10000'));
  const verdict = verified.parse(JSON.parse(await blog.sallyport('audit', 'verify', '--json')));
  const { ok, records: count, checkpoints, isKeyTrusted } = verdict;
  const proof = { ok, records: count, endChecked: isKeyTrusted && checkpoints > 0 };
  const roots = spanTrees(records).filter(
    ({ record }) => record.tool !== undefined && !record.tool.startsWith('admin.'),
  );
  let at = 0;
  const played = acted.map(({ step, calls, seen }): Played => {
    at += calls;
    const span = roots[at - 1];
    return { step, calls, seen, span, problems: differences({ step, seen, span }) };
  });
  const last = roots.at(-1)?.record;
  const problems = [
    ...(tools.join() === visibleTools.join()
      ? []
      : [`the agent is shown other tools than expected: ${tools.join(', ')}`]),
    ...(roots.length === at ? [] : [`${at} calls left ${roots.length} records`]),
    ...(proof.ok && proof.endChecked ? [] : ['the audit does not verify']),
    ...played.flatMap((each) => each.problems.map((problem) => `${each.step.says}: ${problem}`)),
  ];
  return {
    protocolVersion: agent.protocolVersion,
    tools,
    played,
    audit: { ...proof, last: last && { seq: last.seq, hash: last.hash } },
    problems,
  };
}

function differences({ step, seen, span }: Pick<Played, 'step' | 'seen' | 'span'>): readonly string[] {
  const differ = (what: string, found: unknown, expected: unknown) =>
    found === expected ? [] : [`${what}: ${String(found)} instead of ${String(expected)}`];
  if (span === undefined) return ['it left no record'];
  const { record, children } = span;
  return [
    ...differ('outcome', seen.outcome, step.outcome),
    ...(step.mentions === undefined || seen.text.includes(step.mentions)
      ? []
      : [`"${seen.text}" does not mention ${step.mentions}`]),
    ...differ('tool in the audit', record.tool, step.tool),
    ...differ('outcome in the audit', auditOutcome(record), step.outcome),
    ...differ('reason in the audit', record.reason, step.reason),
    ...differ('calls it caused', children.map((child) => child.record.tool).join(), (step.asks ?? []).join()),
    ...(record.subject === account || step.afterRevocation ? [] : [`the audit says ${record.subject} did it`]),
  ];
}

/** The audit's words for an outcome, in the story's. */
export function auditOutcome({ outcome, toolError }: AuditRecord): string {
  return outcome === 'answered' && toolError ? 'tool error' : outcome;
}
