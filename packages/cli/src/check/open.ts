import type { GatewayConfig } from '@sallyport/gateway';
import { type CheckFinding, finding } from './finding.ts';

/** The configuration as it is written. */
interface Written {
  readonly path: string;
  readonly text: string;
}

/** A token that lives longer than this is as good as one for ever. */
const longLifeMs = 366 * 86_400_000;

/** What is open to everything: origins, hosts, networks; and credentials that hardly end. */
export function openFindings(config: GatewayConfig, written: Written): readonly CheckFinding[] {
  const { allowedHosts, allowedOrigins, trustedProxies, auth } = config;
  const open = [
    ...allowedHosts.filter(isOpen).map((host) => ['allowedHosts', host] as const),
    ...allowedOrigins.filter(isOpen).map((origin) => ['allowedOrigins', origin] as const),
    ...trustedProxies.filter(isEverywhere).map((range) => ['trustedProxies', range] as const),
    ...config.policy.external.flatMap(({ networks }) =>
      networks.filter(isEverywhere).map((range) => ['networks', range] as const),
    ),
  ];
  const found = open.map(([key, value]) =>
    finding('open-egress', `${key} lets everything in: ${value}`, {
      place: placeOf(written, key, value),
      suggestion: 'Name what it is for, and nothing else.',
    }),
  );
  if (auth.maxTokenLifeMs <= longLifeMs) return found;
  return [
    ...found,
    finding('long-lived', 'tokens may live for more than a year', {
      place: placeOf(written, 'maxTokenLife', ''),
      suggestion: 'A lost token is good until it ends: 90d or less, and rotate.',
    }),
  ];
}

function isOpen(value: string): boolean {
  return value.includes('*');
}

function isEverywhere(range: string): boolean {
  return /\/0$/.test(range);
}

function placeOf({ path, text }: Written, key: string, value: string): NonNullable<CheckFinding['place']> {
  const from = Math.max(0, text.indexOf(key));
  const at = Math.max(from, text.indexOf(value, from));
  const before = text.slice(0, at).split('\n');
  return { file: path, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
