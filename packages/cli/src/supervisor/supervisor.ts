import { CliError } from '../exit.ts';
import { type ChildPlan, startChild } from './child.ts';
import type { Tell } from './events.ts';
import { dependencyLevels, type Ordered } from './order.ts';
import { createSlot, type Slot, type Start } from './slot.ts';
import { watchPaths } from './watch.ts';

/** A service to run. */
export interface ServicePlan extends Ordered {
  readonly process: ChildPlan;
  readonly instances: number;
  /** Files and folders whose change means a new version; absolute. */
  readonly watch: readonly string[];
}

/** What the gateway knows of who has announced. */
export interface Rotation {
  /** How many instances of a service take calls now. */
  instances(service: string): number;
  /** Calls back whenever that may have changed, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

/** What a supervisor leans on. */
export interface SupervisorDeps {
  readonly rotation: Rotation;
  readonly tell: Tell;
  /** How long a process may take to announce itself. */
  readonly startTimeoutMs: number;
  /** Whether sources are watched. */
  readonly hotReload: boolean;
}

/** Runs the services of one configuration, and follows it when it changes. */
export interface Supervisor {
  /**
   * Starts these, level by level.
   *
   * @throws CliError `unavailable` naming the service that did not come up, with the last lines it printed.
   */
  start(plans: readonly ServicePlan[]): Promise<void>;
  /** Follows a changed configuration: ends what is gone, starts what is new, restarts what changed. Failures are told, not thrown. */
  apply(plans: readonly ServicePlan[]): Promise<void>;
  /** Ends everything, services before those they depend on. No process is left when it resolves. */
  stop(): Promise<void>;
}

interface Unit {
  readonly plan: ServicePlan;
  readonly slots: readonly Slot[];
  readonly watcher: { close(): void } | undefined;
}

/** What a supervisor holds from moment to moment. */
interface Held {
  readonly deps: SupervisorDeps;
  readonly units: Map<string, Unit>;
  stopping: boolean;
}

/** A supervisor that runs nothing yet. */
export function createSupervisor(deps: SupervisorDeps): Supervisor {
  const held: Held = { deps, units: new Map(), stopping: false };
  return {
    start: (plans) => startAll(held, plans),
    apply: (plans) => follow(held, plans),
    stop: () => stopAll(held),
  };
}

async function startAll(held: Held, plans: readonly ServicePlan[]): Promise<void> {
  for (const level of dependencyLevels(plans)) {
    if (held.stopping) return;
    const startOrThrow = async (plan: ServicePlan) => {
      const started = await startUnit(held, plan);
      if (!started.up && !held.stopping) throw notUp(plan, started);
    };
    await Promise.all(level.map(startOrThrow));
  }
}

async function follow(held: Held, plans: readonly ServicePlan[]): Promise<void> {
  const { units, deps } = held;
  const wanted = new Map(plans.map((plan) => [plan.name, plan]));
  const leaving = [...units.values()].filter((unit) => !samePlan(unit.plan, wanted.get(unit.plan.name)));
  await Promise.all(leaving.map((unit) => stopUnit(held, unit)));
  for (const level of dependencyLevels(plans)) {
    if (held.stopping) return;
    const missing = level.filter((plan) => !units.has(plan.name));
    await Promise.all(missing.map(async (plan) => tellStart(plan, await startUnit(held, plan), deps.tell)));
  }
}

async function stopAll(held: Held): Promise<void> {
  const { units } = held;
  held.stopping = true;
  const levels = dependencyLevels([...units.values()].map((unit) => unit.plan));
  for (const level of [...levels].reverse()) {
    const ending = level.flatMap((plan) => units.get(plan.name) ?? []);
    await Promise.all(ending.map((unit) => stopUnit(held, unit)));
  }
}

async function startUnit({ deps, units }: Held, plan: ServicePlan): Promise<Start> {
  const slots = Array.from({ length: plan.instances }, () => createSlot(slotDeps(plan, deps)));
  const isWatched = deps.hotReload && plan.watch.length > 0;
  const watcher = isWatched
    ? watchPaths(
        plan.watch,
        inTurn(() => swapAll(slots)),
      )
    : undefined;
  units.set(plan.name, { plan, slots, watcher });
  // One after the other: which instance has announced is told by their number alone.
  for (const slot of slots) {
    const started = await slot.start();
    if (!started.up) return started;
  }
  return { up: true };
}

async function stopUnit({ units }: Held, unit: Unit): Promise<void> {
  unit.watcher?.close();
  units.delete(unit.plan.name);
  await Promise.all(unit.slots.map((slot) => slot.stop()));
}

function slotDeps(
  plan: ServicePlan,
  { rotation, tell, startTimeoutMs }: SupervisorDeps,
): Parameters<typeof createSlot>[0] {
  return {
    start: () => startChild(plan.process, (text) => tell(plan.name, { kind: 'line', text })),
    instances: () => rotation.instances(plan.name),
    untilInstances: (count, signal) =>
      untilInstances({ rotation, service: plan.name, count, timeoutMs: startTimeoutMs, signal }),
    tell: (event) => tell(plan.name, event),
    nowMs: () => performance.now(),
    later: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
}

interface Wait {
  readonly rotation: Rotation;
  readonly service: string;
  readonly count: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

function untilInstances({ rotation, service, count, timeoutMs, signal }: Wait): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (result: boolean) => {
      stopListening();
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      resolve(result);
    };
    const giveUp = () => settle(false);
    const look = () => {
      if (rotation.instances(service) >= count) settle(true);
    };
    const stopListening = rotation.onChange(look);
    const timer = setTimeout(giveUp, timeoutMs);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    else look();
  });
}

async function swapAll(slots: readonly Slot[]): Promise<void> {
  for (const slot of slots) await slot.swap();
}

/** Runs one at a time; any number of requests while one runs lead to one more run. */
function inTurn(run: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const go = async () => {
    running = true;
    do {
      again = false;
      await run();
    } while (again);
    running = false;
  };
  return () => {
    again = true;
    if (!running) void go();
  };
}

function samePlan(a: ServicePlan, b: ServicePlan | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function notUp(plan: ServicePlan, started: Start): CliError {
  const why = started.up ? '' : started.why;
  const lines = started.up ? [] : started.lines;
  return new CliError('unavailable', `Service "${plan.name}" did not come up: ${why}.`, {
    hint: lines.length > 0 ? `Its last lines:\n${lines.map((line) => `  ${line}`).join('\n')}` : 'It printed nothing.',
    facts: { service: plan.name, lines },
  });
}

function tellStart(plan: ServicePlan, started: Start, tell: Tell): void {
  if (!started.up) tell(plan.name, { kind: 'reload-failed', why: started.why });
}
