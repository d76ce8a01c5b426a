import { afterEach, describe, expect, it } from 'vitest';
import { endAll } from './support/program.ts';
import { type StormReport, storm } from './support/upstream-storm.ts';
import { upstreamKinds } from './support/upstream-world.ts';

afterEach(endAll);

const nothing = (report: StormReport): Record<string, readonly string[]> =>
  Object.fromEntries(Object.keys(report.faults).map((name) => [name, []]));

describe('a server that is killed and started again every second, under load', () => {
  it.each(upstreamKinds)('%s: no client notices but by calls in flight, and waits that are told', async (kind) => {
    const report = await storm({ kind, seconds: 8 });
    process.stdout.write(`${JSON.stringify({ ...report, faults: undefined })}\n`);
    expect(report.faults).toEqual(nothing(report));
    expect(report.verified).toBe(true);
    expect(report.ends.answered).toBeGreaterThan(100);
  });

  it('kit with two instances: none fail but those in flight', async () => {
    const report = await storm({ kind: 'kit', seconds: 8, instances: 2 });
    process.stdout.write(`${JSON.stringify({ ...report, faults: undefined })}\n`);
    expect(report.faults).toEqual(nothing(report));
    expect(report.verified).toBe(true);
  });
});
