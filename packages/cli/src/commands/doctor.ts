import { existsSync } from 'node:fs';
import type { AuditSource, GatewayConfig } from '@sallyport/gateway';
import { administer, type Facts } from '../client/admin-client.ts';
import { type Context, configPath, print, printJson } from '../context.ts';
import { checkDatabase } from '../doctor/database.ts';
import { bad, type Finding, good, unknown } from '../doctor/finding.ts';
import { checkClock, checkNode, checkPort, checkPrivate, checkReachable } from '../doctor/machine.ts';
import { checkSecrets, checkWebhookSecrets } from '../doctor/secrets.ts';
import { CliError } from '../exit.ts';
import type { Style } from '../terminal/style.ts';
import { pad } from '../terminal/table.ts';
import { eachLogIn, trustIn } from './audit-files.ts';
import { checkWitnesses } from './audit-status.ts';

/** Options of `sallyport doctor`. */
export interface DoctorOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/**
 * Looks at everything a gateway needs and says what to do about what is not well.
 *
 * @throws CliError `failure` when something is not well, after everything was printed.
 */
export async function doctor(options: DoctorOptions, context: Context): Promise<void> {
  const findings = await examine(options, context);
  const broken = findings.filter((finding) => finding.state === 'bad').length;
  if (options.json) printJson(context, { ok: broken === 0, findings });
  else print(context, reportText(findings, context.style));
  if (broken > 0)
    throw new CliError('failure', broken === 1 ? 'One thing is to be done.' : `${broken} things are to be done.`);
}

async function examine(options: DoctorOptions, context: Context): Promise<readonly Finding[]> {
  const machine = [checkNode(process.versions.node), checkClock(Date.now())];
  const { loadConfig } = await import('@sallyport/gateway');
  try {
    const path = configPath(context, options.config);
    const { config } = await loadConfig(path);
    return [...machine, good('configuration', path), ...(await examineConfig(config, options, context))];
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    const advice = (error instanceof CliError ? error.hint : undefined) ?? 'Mend the lines above.';
    return [...machine, bad('configuration', seen, advice)];
  }
}

async function examineConfig(
  config: GatewayConfig,
  options: DoctorOptions,
  context: Context,
): Promise<readonly Finding[]> {
  const { dataPaths, keyPlaces } = await import('@sallyport/gateway');
  const files = dataPaths(config.data);
  const status = await statusOf(options, context);
  const runs = status !== undefined;
  return [
    checkPrivate('data folder', config.data),
    checkMasterKey(config, context),
    checkPrivate('key ring', keyPlaces(config, context.env).ring),
    ...(await checkDatabase(config, context)),
    ...filesOf(config, files).map((path) => checkPrivate('data file', path)),
    runs ? good('gateway', 'runs') : unknown('gateway', 'does not run'),
    ...(runs
      ? []
      : await Promise.all([checkPort('agents\u2019 port', config.listen), checkPort('admin port', config.admin)])),
    ...(await Promise.all(Object.entries(config.services).map(([name, service]) => checkService(name, service)))),
    ...Object.entries(config.services).flatMap(([name, service]) => checkSecrets(name, service, context.env)),
    ...checkWebhookSecrets(config, context.env),
    ...(await checkAudit(config)),
    ...(status === undefined ? [] : checkWitnesses(status)),
  ];
}

function filesOf({ store, audit }: GatewayConfig, files: { readonly state: string; readonly audit: string }) {
  return [...(store.kind === 'sqlite' ? [files.state] : []), ...(audit.store === 'sqlite' ? [files.audit] : [])];
}

/** What the gateway says of itself, if it runs. */
async function statusOf(options: DoctorOptions, context: Context): Promise<Facts | undefined> {
  try {
    return await administer(options, context, 'gateway.status');
  } catch {
    return undefined;
  }
}

function checkMasterKey({ masterKey, masterKeyFile }: GatewayConfig, { env }: Context): Finding {
  if (masterKey?.env === undefined) return checkPrivate('master key', masterKeyFile);
  return env[masterKey.env] === undefined
    ? unknown('master key', `the variable ${masterKey.env} is not set here; it has to be where the gateway is started`)
    : good('master key', `the variable ${masterKey.env} is set`);
}

async function checkService(name: string, service: GatewayConfig['services'][string]): Promise<Finding> {
  const what = `service ${name}`;
  if (service.kind === 'static' || service.kind === 'mcp') return checkReachable(what, service.address);
  const starter = service.kind === 'stdio' ? 'the gateway' : '`sallyport run`';
  return existsSync(service.cwd)
    ? good(what, `started by ${starter}: ${service.command.join(' ')}`)
    : bad(what, `its folder ${service.cwd} does not exist`, 'Correct `cwd` in the configuration.');
}

async function checkAudit(config: GatewayConfig): Promise<readonly Finding[]> {
  const { auditSource } = await import('@sallyport/gateway');
  try {
    const source = auditSource(config);
    if (typeof source === 'string' && !existsSync(source)) return [unknown('audit log', 'there is none yet')];
    return await Promise.all((await eachLogIn(config)).map((path) => checkLog(config, path)));
  } catch (error) {
    return [bad('audit log', wordsOf(error), 'Keep a copy of the file before anything else.')];
  }
}

async function checkLog(config: GatewayConfig, path: AuditSource): Promise<Finding> {
  const { verifyAudit } = await import('@sallyport/gateway');
  const what = typeof path === 'string' ? 'audit log' : `audit log ${path.origin}`;
  const { ok, rows, findings } = await verifyAudit(path, await trustIn(config, path));
  if (ok) return good(what, `${rows} records, as they were written`);
  const seen = `${findings.length} of ${rows} records do not fit`;
  return bad(what, seen, 'Keep a copy of the log and see `sallyport audit verify`.');
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'cannot be read';
  return error.cause instanceof Error ? error.cause.message : error.message;
}

const marks = { good: '✓', bad: '✗', unknown: '·' } as const;

function reportText(findings: readonly Finding[], style: Style): string {
  const paint = { good: style.green, bad: style.red, unknown: style.dim } as const;
  const width = Math.max(...findings.map((finding) => finding.what.length));
  return findings
    .map(({ what, state, seen, advice }) => {
      const line = `${paint[state](marks[state])} ${pad(what, width)}  ${state === 'unknown' ? style.dim(seen) : seen}`;
      return advice === undefined ? line : `${line}\n  ${' '.repeat(width)}  ${style.yellow(`→ ${advice}`)}`;
    })
    .join('\n');
}
