import { type AdminOptions, administer } from '../client/admin-client.ts';
import { type Context, print, printJson } from '../context.ts';
import { bad, type Finding, good } from '../doctor/finding.ts';
import { printableLine } from '../terminal/style.ts';

/** How the log and its witnesses are doing, as a running gateway tells it. */
interface AuditStatus {
  readonly state: string;
  readonly seq: number;
  readonly queuedRecords: number;
  readonly rejected: number;
  readonly lost: number;
  readonly restarts: number;
  readonly witnesses?: readonly WitnessStatus[];
}

interface WitnessStatus {
  readonly url: string;
  readonly state: string;
  readonly taken: number;
  readonly takenAt?: string;
  readonly failure?: string;
}

/** `audit status` */
export async function auditStatus(options: AdminOptions, context: Context): Promise<void> {
  const { audit } = (await administer(options, context, 'gateway.status')) as unknown as {
    readonly audit: AuditStatus;
  };
  if (options.json) return printJson(context, audit);
  const { style } = context;
  const { state, seq, queuedRecords, rejected, lost, restarts, witnesses = [] } = audit;
  print(
    context,
    `log      ${state === 'up' ? style.green(state) : style.red(state)}, ${seq} records, ${queuedRecords} on their way`,
  );
  if (rejected + lost + restarts > 0) {
    print(
      context,
      style.yellow(`         ${rejected} could not be written, ${lost} lost, the writer died ${restarts} times`),
    );
  }
  for (const witness of witnesses) print(context, `witness  ${witnessText(witness)}`);
}

/** For `doctor`: each witness that a running gateway tells. */
export function checkWitnesses(status: Readonly<Record<string, unknown>>): readonly Finding[] {
  const { witnesses = [] } = status.audit as AuditStatus;
  return witnesses.map((witness) =>
    witness.state === 'failing'
      ? bad('audit witness', witnessText(witness), 'Checkpoints wait until it answers; until then it proves nothing.')
      : good('audit witness', witnessText(witness)),
  );
}

function witnessText({ url, state, taken, takenAt, failure }: WitnessStatus): string {
  const told = takenAt === undefined ? 'no checkpoint taken yet' : `${taken} checkpoints taken, the last at ${takenAt}`;
  return `${printableLine(url)} ${state}: ${told}${failure === undefined ? '' : `; ${printableLine(failure)}`}`;
}
