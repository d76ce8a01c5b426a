/** What tells values of one metric apart. */
export type Labels = Readonly<Record<string, string>>;

/** Counts things that happened. */
export interface Counter {
  add(labels: Labels, count?: number): void;
}

/** Keeps how values are spread. */
export interface Histogram {
  record(labels: Labels, value: number): void;
}

/** What a metric is, for whoever reads it. Names and units as OpenTelemetry has them: `mcp.server.operation.duration`, `s`. */
export interface MetricFacts {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
}

/** One value with its labels. */
export interface Point<Value> {
  readonly labels: Labels;
  readonly value: Value;
}

/** Values in buckets: `counts` has one more than `boundaries`, each of which is the inclusive upper end of its bucket. */
export interface Spread {
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** A metric as it is now. */
export type Collected = MetricFacts &
  (
    | { readonly kind: 'counter' | 'gauge'; readonly points: readonly Point<number>[] }
    | { readonly kind: 'histogram'; readonly boundaries: readonly number[]; readonly points: readonly Point<Spread>[] }
  );

/** All metrics of a gateway. */
export interface Meters {
  counter(facts: MetricFacts): Counter;
  histogram(facts: MetricFacts & { readonly boundaries: readonly number[] }): Histogram;
  /** A value that is read when somebody asks; more than one where there are labels. A counter where it only ever grows. */
  observe(
    facts: MetricFacts & { readonly kind?: 'counter' | 'gauge' },
    read: () => number | readonly Point<number>[],
  ): void;
  collect(): readonly Collected[];
  readonly startedAtMs: number;
}

/** Where the labels of a metric are so many different ones that memory is at stake, the rest share this one. */
export const overflow: Labels = { 'otel.metric.overflow': 'true' };

const defaultMaxSeries = 2000;

/**
 * Makes an empty set of metrics. Counting takes a look-up in a map and no more: it happens in every call, reading four times
 * a minute.
 *
 * @param maxSeries how many different labels a metric may have; beyond, values go to one series more, as OpenTelemetry has it.
 */
export function createMeters(startedAtMs: number, maxSeries = defaultMaxSeries): Meters {
  const collectors: (() => Collected)[] = [];
  const names = new Set<string>();
  const register = (name: string, collect: () => Collected): void => {
    if (names.has(name)) throw new Error(`there are two metrics named ${name}`);
    names.add(name);
    collectors.push(collect);
  };
  return {
    counter: (facts) => {
      const series = createSeries(maxSeries, () => ({ value: 0 }));
      register(facts.name, () => ({ ...facts, kind: 'counter', points: series.points(({ value }) => value) }));
      return {
        add: (labels, count = 1) => {
          series.of(labels).value += count;
        },
      };
    },
    histogram: ({ boundaries, ...facts }) => {
      const empty = () => ({ counts: Array.from({ length: boundaries.length + 1 }, () => 0), sum: 0, count: 0 });
      const series = createSeries(maxSeries, empty);
      const points = () => series.points(({ counts, ...rest }) => ({ ...rest, counts: [...counts] }));
      register(facts.name, () => ({ ...facts, kind: 'histogram', boundaries, points: points() }));
      return {
        record: (labels, value) => {
          const spread = series.of(labels);
          const bucket = bucketOf(boundaries, value);
          spread.counts[bucket] = (spread.counts[bucket] ?? 0) + 1;
          spread.sum += value;
          spread.count++;
        },
      };
    },
    observe: ({ kind = 'gauge', ...facts }, read) => {
      register(facts.name, () => {
        const value = read();
        return { ...facts, kind, points: typeof value === 'number' ? [{ labels: {}, value }] : value };
      });
    },
    collect: () => collectors.map((collect) => collect()),
    startedAtMs,
  };
}

function createSeries<Value>(maxSeries: number, empty: () => Value) {
  const all = new Map<string, Point<Value>>();
  const of = (labels: Labels): Value => {
    const key = keyOf(labels);
    const known = all.get(key);
    if (known !== undefined) return known.value;
    if (all.size >= maxSeries && labels !== overflow) return of(overflow);
    const value = empty();
    all.set(key, { labels, value });
    return value;
  };
  return {
    of,
    points: <Seen>(see: (value: Value) => Seen): Point<Seen>[] =>
      [...all.values()].map(({ labels, value }) => ({ labels, value: see(value) })),
  };
}

/** Labels of one metric have the same names in the same order: their values tell them apart. */
function keyOf(labels: Labels): string {
  let key = '';
  for (const name in labels) key += `${name}\0${labels[name]}\0`;
  return key;
}

function bucketOf(boundaries: readonly number[], value: number): number {
  let at = 0;
  while (at < boundaries.length && value > (boundaries[at] ?? 0)) at++;
  return at;
}
