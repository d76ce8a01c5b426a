import { CliError } from '../exit.ts';

/** What the order depends on. */
export interface Ordered {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/**
 * Sorts services into levels: all of a level can start at once, when every level before it is up. Names that are not
 * among the given ones (services somebody else runs) count as up.
 *
 * @throws CliError `usage` naming the circle, if services wait for each other.
 */
export function dependencyLevels<Service extends Ordered>(
  services: readonly Service[],
): readonly (readonly Service[])[] {
  const ours = new Set(services.map((service) => service.name));
  const placed = new Set<string>();
  const levels: Service[][] = [];
  let rest = [...services];
  while (rest.length > 0) {
    const level = rest.filter((service) => service.dependsOn.every((name) => !ours.has(name) || placed.has(name)));
    if (level.length === 0) throw circle(rest);
    for (const service of level) placed.add(service.name);
    levels.push(level);
    rest = rest.filter((service) => !placed.has(service.name));
  }
  return levels;
}

function circle(waiting: readonly Ordered[]): CliError {
  const byName = new Map(waiting.map((service) => [service.name, service]));
  const path: string[] = [];
  let at = waiting[0];
  while (at !== undefined && !path.includes(at.name)) {
    path.push(at.name);
    at = at.dependsOn.map((name) => byName.get(name)).find((next) => next !== undefined);
  }
  const names = at === undefined ? path : [...path.slice(path.indexOf(at.name)), at.name];
  return new CliError('usage', `Services wait for each other: ${names.join(' → ')}.`, {
    hint: 'Remove one of these `dependsOn` entries from the configuration.',
  });
}
