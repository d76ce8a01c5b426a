import type { ServiceStatus } from '@sallyport/core';
import type { GatewayConfig, RunningGateway, StartOptions } from '@sallyport/gateway';
import type { Screen } from '../terminal/screen.ts';
import type { Style } from '../terminal/style.ts';

/** Counts calls, for the status line. */
export interface Traffic {
  /** Something was recorded. */
  count(record: Recorded): void;
  /** What was counted, and how many a second since it was asked before. */
  take(nowMs: number): TrafficTaken;
}

type Recorded = Parameters<NonNullable<StartOptions['onRecord']>>[0];

interface TrafficTaken {
  readonly perSecond: number;
  readonly calls: number;
  readonly refused: number;
}

/** A counter that starts now. */
export function createTraffic(nowMs: number): Traffic {
  let calls = 0;
  let refused = 0;
  let before = { calls: 0, atMs: nowMs };
  return {
    count: (record) => {
      if (record.kind !== 'outcome' || record.verb !== 'invoke') return;
      calls++;
      if (record.outcome === 'refused') refused++;
    },
    take: (now) => {
      const seconds = Math.max(0.001, (now - before.atMs) / 1000);
      const perSecond = (calls - before.calls) / seconds;
      before = { calls, atMs: now };
      return { perSecond, calls, refused };
    },
  };
}

/** What the status line shows. */
export interface Status {
  readonly services: readonly ServiceStatus[];
  /** How many there should be. */
  readonly expected: number;
  readonly traffic: TrafficTaken;
  readonly mcpUrl: string;
}

/** The line under everything else, short enough for 80 columns. */
export function statusText({ services, expected, traffic, mcpUrl }: Status, style: Style): string {
  const up = services.filter((service) => service.state === 'ready' && service.instances > 0).length;
  const parts = [
    `${up >= expected ? style.green('●') : style.yellow('●')} ${up}/${expected} services`,
    `${traffic.perSecond.toFixed(1)} calls/s`,
    `${traffic.calls} calls`,
    traffic.refused === 0 ? '0 refused' : style.yellow(`${traffic.refused} refused`),
    mcpUrl,
  ];
  return parts.join(style.dim(' · '));
}

/** What the line is drawn from, and where. */
export interface StatusSources {
  readonly screen: Screen;
  readonly gateway: RunningGateway;
  readonly config: GatewayConfig;
  readonly style: Style;
  readonly traffic: Traffic;
}

const everyMs = 1_000;

/** Draws the line every second where there is a terminal, until the returned function is called. */
export function showStatus({ screen, gateway, config, style, traffic }: StatusSources): () => void {
  if (!screen.isLive) return () => undefined;
  const expected = Object.keys(config.services).length;
  const draw = () => {
    const status = {
      services: gateway.services(),
      expected,
      traffic: traffic.take(performance.now()),
      mcpUrl: gateway.mcpUrl,
    };
    screen.status(statusText(status, style));
  };
  draw();
  const timer = setInterval(draw, everyMs);
  return () => {
    clearInterval(timer);
    screen.close();
  };
}
