import type { Catalog, Stages } from '@sallyport/core';
import { addProcessMetrics, createCallMetrics, createMeters, exportMetrics, type Meters } from '../telemetry/index.ts';
import type { Lifetime } from './lifetime.ts';
import type { OnNotice } from './notices.ts';
import type { Stores } from './stores.ts';
import { version } from './version.ts';

/** What a gateway tells of itself in numbers. */
export interface Metrics {
  /** The record stage, counting each call on its way. */
  counting<Record extends Stages['record']>(record: Record): Stages['record'];
  /** Counts notices on their way. */
  noticing(onNotice: OnNotice): OnNotice;
  /** What services there are is known once there is a catalog. */
  watch(catalog: () => Catalog): void;
  /** All of it, in the text format of Prometheus. */
  text(): Promise<string>;
}

interface MetricsParts {
  readonly stores: Pick<Stores, 'auditLog' | 'witnesses'> & { readonly state: Pick<Stores['state'], 'approvals'> };
  readonly life: Lifetime;
  readonly nowMs: () => number;
}

/** Begins to count; sends by OTLP where the environment asks for that. */
export function createMetrics({ stores, life, nowMs }: MetricsParts): Metrics {
  const meters = createMeters(nowMs());
  const count = createCallMetrics(meters);
  const notices = meters.counter({
    name: 'sallyport.notices',
    description: 'Calls that policies wanted told, by channel and policy.',
    unit: '{notice}',
  });
  addAuditMetrics(meters, stores.auditLog);
  addWitnessMetrics(meters, stores);
  const approvals = watchApprovals(meters, stores.state.approvals);
  life.onClose(addProcessMetrics(meters));
  const sent = exportMetrics(meters, { version, env: process.env });
  life.onClose(sent.close);
  return {
    counting: (record) => (entry) => {
      count(entry);
      return record(entry);
    },
    noticing: (onNotice) => (notice) => {
      notices.add({ channel: notice.channel, policy: notice.policy });
      onNotice(notice);
    },
    watch: (catalog) => addCatalogMetrics(meters, catalog),
    text: async () => {
      await approvals.look();
      return sent.prometheus();
    },
  };
}

/** More are not counted one by one: somebody has to look then anyway. */
const mostWaiting = 1_000;

/** How many approvals wait for somebody: as many as there were when this was last looked at, which sets off another look. */
function watchApprovals(
  meters: Meters,
  { list }: Stores['state']['approvals'],
): { readonly look: () => Promise<void> } {
  let waiting = 0;
  const look = async (): Promise<void> => {
    // The store may be away; the number is then the last one that was known.
    const found = await list({ states: ['pending'], limit: mostWaiting }).catch(() => undefined);
    waiting = found?.length ?? waiting;
  };
  meters.observe(
    { name: 'sallyport.approvals.waiting', description: 'Approvals that wait for somebody.', unit: '{approval}' },
    () => {
      void look();
      return waiting;
    },
  );
  return { look };
}

function addWitnessMetrics(meters: Meters, { witnesses }: Pick<Stores, 'witnesses'>): void {
  const name = 'sallyport.audit.witnesses';
  const states = ['ok', 'waiting', 'failing'] as const;
  meters.observe(
    { name, description: 'Those who are sent checkpoints, by how they are doing.', unit: '{witness}' },
    () =>
      states.map((state) => ({
        labels: { state },
        value: witnesses.stats().filter((witness) => witness.state === state).length,
      })),
  );
}

function addAuditMetrics(meters: Meters, { stats }: Stores['auditLog']): void {
  const read = (name: string, facts: { what: string; unit: string; kind?: 'counter' }, value: () => number): void => {
    const { what, ...rest } = facts;
    meters.observe({ name: `sallyport.audit.${name}`, description: what, ...rest }, value);
  };
  const records = { unit: '{record}' } as const;
  read('up', { what: 'Whether the audit log can be written: 1 or 0.', unit: '1' }, () =>
    Number(stats().state === 'up'),
  );
  read('queue', { ...records, what: 'Audit records that wait to be written.' }, () => stats().queuedRecords);
  read('queue.size', { unit: 'By', what: 'Memory they take.' }, () => stats().queuedBytes);
  read('records', { ...records, kind: 'counter', what: 'Number of the last audit record.' }, () => stats().seq);
  read(
    'rejected',
    { ...records, kind: 'counter', what: 'Audit records that could not be written; their calls were refused.' },
    () => stats().rejected,
  );
  read(
    'lost',
    { ...records, kind: 'counter', what: 'Audit records that nothing waited for and that are lost.' },
    () => stats().lost,
  );
  read(
    'writer.restarts',
    { unit: '{restart}', kind: 'counter', what: 'How often the writer died.' },
    () => stats().restarts,
  );
}

function addCatalogMetrics(meters: Meters, catalog: () => Catalog): void {
  meters.observe(
    { name: 'sallyport.service.instances', description: 'Instances that answer for a service.', unit: '{instance}' },
    () =>
      catalog().services.map(({ name, version: its, state, instances }) => ({
        labels: { 'sallyport.service': name, 'sallyport.service.version': its, 'sallyport.service.state': state },
        value: instances,
      })),
  );
  meters.observe(
    { name: 'sallyport.tools', description: 'Tools in the catalog.', unit: '{tool}' },
    () => catalog().tools.length,
  );
}
