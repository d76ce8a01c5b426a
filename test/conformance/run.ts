// `npm run conformance [-- --leg gateway --mode 2026-07-28 --scenario caching --json]`: the official conformance suite
// against the fixture server, directly and through gateways. Every check has to be what it is in the direct run.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runAuthorizationScenarios } from './runner/authorization.ts';
import { runAuthScenarios, runClientScenarios } from './runner/client.ts';
import type { Row } from './runner/compare.ts';
import { type Leg, type OpenLeg, serverLegs } from './runner/legs.ts';
import { type Mode, serverModes } from './runner/mode.ts';
import { brokenRun, countOf, judge, type Run, tableOf } from './runner/report.ts';
import { runSuite, suiteVersion } from './runner/suite.ts';

/** The mode in which the suite plays servers and tests a client; it has two legs, with and without a gateway. */
const clientMode = 'client';
const clientLegs = ['direct', 'gateway'];
/** The mode in which the suite plays servers that want OAuth, and the gateway is their client: there is nothing to compare with. */
const authMode = 'client-auth';
const authLeg = 'gateway';
/** The mode in which the suite tests the gateway's own authorization server. */
const authorizationMode = 'authorization';

const { values: chosen } = parseArgs({
  options: {
    leg: { type: 'string', multiple: true, default: [] },
    mode: { type: 'string', multiple: true, default: [] },
    scenario: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
});
const legNames = serverLegs.map(({ name }) => name);
refuseUnknown('leg', chosen.leg, legNames);
refuseUnknown('mode', chosen.mode, [...serverModes.map(({ name }) => name), clientMode, authMode, authorizationMode]);

const out = join(import.meta.dirname, '..', '..', 'out');
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort());
const direct = new Map<string, readonly Row[]>();
const runs: Run[] = [];

// The direct runs are what all others are compared with: they run whatever is chosen.
const isChosenLeg = (name: string) => name === 'direct' || chosen.leg.length === 0 || chosen.leg.includes(name);
const isChosenMode = (name: string) => chosen.mode.length === 0 || chosen.mode.includes(name);
const modes = serverModes.filter(({ name }) => isChosenMode(name));
for (const leg of serverLegs.filter(({ name }) => isChosenLeg(name))) {
  if (modes.length > 0 && !ending.signal.aborted) await runLeg(leg);
}
for (const leg of clientLegs.filter((name) => isChosenMode(clientMode) && isChosenLeg(name))) {
  if (!ending.signal.aborted) await record(leg, clientMode, (onScenario) => runClient(leg, onScenario));
}
if (isChosenMode(authMode) && isChosenLeg(authLeg) && !ending.signal.aborted) {
  const folder = join(out, 'conformance', authLeg, authMode);
  const { scenario: scenarios } = chosen;
  await record(authLeg, authMode, (onScenario) =>
    runAuthScenarios({ scenarios, folder, onScenario, signal: ending.signal }),
  );
}
if (isChosenMode(authorizationMode) && isChosenLeg(authLeg) && !ending.signal.aborted) {
  const folder = join(out, 'conformance', authLeg, authorizationMode);
  const { scenario: scenarios } = chosen;
  await record(authLeg, authorizationMode, (onScenario) =>
    runAuthorizationScenarios({ scenarios, folder, onScenario, signal: ending.signal }),
  );
}
report();

async function runLeg(leg: Leg): Promise<void> {
  tell(`${leg.name}: ${leg.about}\n`);
  let open: OpenLeg | undefined;
  try {
    open = await leg.open(ending.signal);
    const { url, ownChecks } = open;
    for (const mode of modes) {
      await record(leg.name, mode.name, (onScenario) => runServer({ leg: leg.name, mode, url, onScenario }));
    }
    const own = ownChecks();
    if (own.length > 0) runs.push(judge({ leg: leg.name, mode: '(own)' }, own, undefined));
  } catch (error) {
    runs.push(brokenRun({ leg: leg.name, mode: '(all)' }, error));
  } finally {
    await open?.close();
  }
}

type OnScenario = (name: string) => void;

/** Runs the suite once and keeps what came out, even when nothing did. */
async function record(leg: string, mode: string, run: (onScenario: OnScenario) => Promise<readonly Row[]>) {
  const onScenario = (name: string) => tell(process.stderr.isTTY ? `\r\x1b[K${leg} ${mode} ${name}` : '');
  const startedMs = performance.now();
  try {
    const rows = await run(onScenario);
    if (leg === 'direct') direct.set(mode, rows);
    const isAlone = leg === 'direct' || mode === authMode || mode === authorizationMode;
    runs.push(judge({ leg, mode }, rows, isAlone ? undefined : direct.get(mode)));
  } catch (error) {
    runs.push(brokenRun({ leg, mode }, error));
  }
  const { totals, differences, broken } = runs.at(-1) ?? brokenRun({ leg, mode }, 'nothing ran');
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const verdict = broken === undefined ? `${totals.checks} checks, ${differences.length} differ` : 'did not run';
  tell(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${leg} ${mode}: ${verdict} (${seconds} s)\n`);
}

interface ServerRun {
  readonly leg: string;
  readonly mode: Mode;
  readonly url: string;
  readonly onScenario: OnScenario;
}

async function runServer({ leg, mode, url, onScenario }: ServerRun): Promise<readonly Row[]> {
  const folder = join(out, 'conformance', leg, mode.name);
  const common = { subject: { url }, onScenario, signal: ending.signal };
  if (chosen.scenario.length === 0) return runSuite({ ...common, select: mode.select, folder });
  const rows: Row[] = [];
  for (const name of chosen.scenario) {
    const select = ['--scenario', name, '--spec-version', mode.revision, '--force'];
    rows.push(...(await runSuite({ ...common, select, folder: join(folder, name) })));
  }
  return rows;
}

function runClient(leg: string, onScenario: OnScenario): Promise<readonly Row[]> {
  const folder = join(out, 'conformance', leg, clientMode);
  const viaGateway = leg !== 'direct';
  return runClientScenarios({ scenarios: chosen.scenario, viaGateway, folder, onScenario, signal: ending.signal });
}

function report(): void {
  const { passed, failed } = countOf(runs);
  const result = { suite: suiteVersion(), node: process.version, passed, failed, runs };
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'conformance.json'), `${JSON.stringify(result, null, 1)}\n`);
  if (chosen.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`\n${tableOf(runs)}\n\n${passed} passed, ${failed} failed\n`);
  if (ending.signal.aborted) process.exitCode = 130;
  else process.exitCode = failed === 0 ? 0 : 1;
}

function refuseUnknown(option: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  process.stderr.write(`--${option} ${unknown.join(', ')}: expected one of ${known.join(', ')}\n`);
  process.exit(2);
}

function tell(text: string): void {
  process.stderr.write(text);
}
