import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Desk, refund, type Told } from './desk.ts';

/** One thing that happened, and whether it went as it should. */
export interface Step {
  readonly says: string;
  readonly ok: boolean;
  /** What was seen. */
  readonly seen: string;
}

/** The whole story, played. */
export interface Story {
  readonly steps: readonly Step[];
  /** What the turned agent did, as the audit tells it: oldest first. */
  readonly timeline: readonly { readonly time: string; readonly what: string; readonly outcome: string }[];
}

const input = (amount: number, currency = 'EUR') => ({ payment: 'pay-7', amount, currency });

/** Plays the story. */
export async function playRefunds(desk: Desk): Promise<Story> {
  const steps: Step[] = [];
  const step = (says: string, ok: boolean, seen: string): void => void steps.push({ says, ok, seen });
  const dana = await desk.token(
    'dana',
    'person',
    'payments:read',
    'payments:refund',
    'payments:approve',
    'admin:approvals',
  );
  const erik = await desk.token('erik', 'person', 'payments:approve', 'admin:approvals');
  await playBounds(desk, dana, step);
  await playApproval(desk, { dana, erik }, step);
  await playOnce(desk, { dana, erik }, step);
  await playClosed(desk, dana, step);
  const timeline = await playTurned(desk, step);
  await playBooks(desk, dana, step);
  return { steps, timeline };
}

type Note = (says: string, ok: boolean, seen: string) => void;
type People = { readonly dana: string; readonly erik: string };

async function playBounds(desk: Desk, dana: string, step: Note): Promise<void> {
  const agent = await desk.agent(dana);
  const schema = z
    .object({
      properties: z.object({
        amount: z.looseObject({ maximum: z.int() }),
        currency: z.looseObject({ enum: z.array(z.string()) }),
      }),
    })
    .safeParse(await agent.schemaOf(refund));
  const shown = schema.data?.properties;
  step(
    'Dana’s agent looks at the tool: its schema says what may be asked for',
    shown?.amount.maximum === 500 && shown.currency.enum.join() === 'EUR,USD',
    `amount ≤ ${shown?.amount.maximum}, currency ${shown?.currency.enum.join(' or ')}`,
  );
  const small = await agent.call(refund, input(80));
  step('80 EUR goes through', small.outcome === 'answered', `refund ${small.value?.id}`);
  const large = await desk.ask(dana, refund, input(501));
  step('501 EUR is refused', refused(large, 'policy_denied', 'finance desk'), large.text);
  const pounds = await desk.ask(dana, refund, input(80, 'GBP'));
  step('80 GBP is refused', refused(pounds, 'policy_denied', 'EUR or USD'), pounds.text);
  await agent.close();
}

async function playApproval(desk: Desk, { dana, erik }: People, step: Note): Promise<void> {
  const agent = await desk.agent(dana);
  const call = agent.call(refund, input(240));
  const id = await desk.waiting();
  const herself = await desk.sallyportAs(dana, 'approvals', 'approve', id);
  step('240 EUR waits. Dana may approve refunds, but not her own', herself.code === 3, firstLine(herself.err));
  const second = await desk.sallyportAs(erik, 'approvals', 'approve', id);
  const done = await call;
  step(
    'Erik approves it, and the call that waited goes through',
    second.code === 0 && done.outcome === 'answered',
    firstLine(second.out),
  );
  const again = await desk.ask(dana, refund, input(240));
  step(
    'the same again waits for an approval of its own',
    again.status === 409 && again.approval !== id,
    `${id} is spent`,
  );
  await agent.close();
}

async function playOnce(desk: Desk, { dana, erik }: People, step: Note): Promise<void> {
  const granted = await desk.waiting();
  await desk.sallyportAs(erik, 'approvals', 'approve', granted);
  const changed = await desk.ask(dana, refund, input(250));
  const isOther = changed.approval !== undefined && changed.approval !== granted;
  step(
    '240 EUR is approved. Made with 250, the call does not go by that',
    changed.status === 409 && isOther,
    `250 waits as ${changed.approval}`,
  );
  await desk.sallyportAs(
    erik,
    'approvals',
    'reject',
    changed.approval ?? '',
    '--reason',
    'Not what was asked.',
    '--tell',
  );
  const rejected = await desk.ask(dana, refund, input(250));
  step(
    'Erik rejects the 250, and it is refused',
    refused(rejected, 'approval_rejected', 'Not what was asked.'),
    rejected.text,
  );
  const race = await Promise.all([1, 2].map(() => desk.ask(dana, refund, input(240))));
  const ran = race.filter(({ status }) => status === 200).length;
  step(
    'two calls race for the one approval of 240: one runs',
    ran === 1,
    race.map(({ status }) => status).join(' and '),
  );
  const waits = await desk.ask(dana, refund, input(240));
  await desk.sallyportAs(erik, 'approvals', 'approve', waits.approval ?? '');
  await desk.killAndRestart();
  const after = await desk.ask(dana, refund, input(240));
  step(
    'the gateway is killed after an approval and starts again: nothing is lost, and it runs',
    after.status === 200,
    `${waits.approval}`,
  );
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

async function playClosed(desk: Desk, dana: string, step: Note): Promise<void> {
  // In no zone of the world is it the day after tomorrow.
  const another = dayNames[(new Date().getUTCDay() + 2) % 7] ?? 'mon';
  await desk.policy('hours', `tool: ${refund}\nwindows: { days: ${another}, zone: Europe/Berlin }\n`);
  const closed = await desk.ask(dana, refund, input(80));
  step(
    `a policy says: refunds on ${another} only. Today it is as if there were none`,
    closed.reason === 'unknown_tool',
    closed.text,
  );
  await desk.policy('hours', undefined);
}

/** What a service and a gateway say of a call that is over before it began. */
async function playTurned(desk: Desk, step: Note): Promise<Story['timeline']> {
  const turned = await desk.token('helper', 'agent', 'payments:read', 'payments:refund');
  const probes = [
    await desk.ask(turned, 'payments.Payments.Delete', {}),
    await desk.ask(turned, 'admin.tokens.create', {}),
    await desk.ask(turned, refund, input(100_000)),
    await desk.ask(turned, refund, { ...input(80), amount: '80' }),
  ];
  step(
    'an agent was turned, and probes: it gets nothing',
    probes.every(({ status }) => status >= 400),
    probes.map(({ reason }) => reason).join(', '),
  );
  const running = desk.ask(turned, 'payments.Payments.Statement', {});
  await delay(300);
  await desk.sallyport('contain', 'principal', 'helper', '--reason', 'probing');
  const ended = await running;
  step('it is blocked in the middle of a call', ended.reason === 'contained', ended.text);
  const next = await desk.ask(turned, refund, input(80));
  step('and may not do anything any more', next.reason === 'contained', next.text);
  const found = z
    .object({
      records: z.array(
        z.looseObject({
          kind: z.string(),
          timeMs: z.number(),
          tool: z.string().optional(),
          outcome: z.string(),
          reason: z.string().optional(),
        }),
      ),
    })
    .parse(JSON.parse(await desk.sallyport('audit', 'search', '--subject', 'helper', '--json')));
  const told = found.records.filter(({ kind }) => kind === 'outcome').reverse();
  step('the audit tells all of it', told.length === probes.length + 2, `${told.length} calls`);
  return told.map(({ timeMs, tool = '', outcome, reason = '' }) => ({
    time: new Date(timeMs).toISOString().slice(11, 23),
    what: tool,
    outcome: `${outcome} ${reason}`.trim(),
  }));
}

async function playBooks(desk: Desk, dana: string, step: Note): Promise<void> {
  const agent = await desk.agent(dana);
  const { value } = await agent.call('payments.Payments.Refunds', { payment: 'pay-7' });
  const { refunds } = z.object({ refunds: z.array(z.object({ id: z.int(), amount: z.int() })) }).parse(value);
  await agent.close();
  const amounts = refunds.map(({ amount }) => amount).join(', ');
  step('the books have what was approved, each once', amounts === '80, 240, 240, 240', amounts);
  const { ok } = z.object({ ok: z.boolean() }).parse(JSON.parse(await desk.sallyport('audit', 'verify', '--json')));
  step('the audit log verifies, to its signed end', ok, ok ? 'whole' : 'damaged');
}

function refused({ status, reason, text }: Told, wanted: string, words: string): boolean {
  return status === 403 && reason === wanted && text.includes(words);
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
