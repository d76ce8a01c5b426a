import type { ServiceEvent } from '../supervisor/events.ts';
import { createPrefixes, formatLogLine } from '../terminal/log-line.ts';
import type { Screen } from '../terminal/screen.ts';
import type { Style } from '../terminal/style.ts';

/** Everything that `run` says while it runs, each line with the name of who says it. */
export interface RunLog {
  /** What happens to a service, and what it prints. */
  tell(service: string, event: ServiceEvent): void;
  /** A line of ours. */
  say(text: string): void;
  /** Where the gateway's logger writes. */
  readonly gatewayStream: { write(line: string): void };
}

/** Named like a service, so that their lines stand in one column. */
const gatewayName = 'gateway';

/** A log on a screen that others write on too. */
export function createRunLog(screen: Screen, services: readonly string[], style: Style): RunLog {
  const prefix = createPrefixes([gatewayName, ...services], style);
  const say = (name: string, text: string) => screen.line(`${prefix(name)} ${text}`);
  return {
    tell: (service, event) => {
      const text = event.kind === 'line' ? formatLogLine(event.text, style, service) : eventText(event, style);
      say(service, text);
    },
    say: (text) => say(gatewayName, text),
    gatewayStream: {
      write: (line) => {
        for (const each of line.split('\n')) if (each !== '') say(gatewayName, formatLogLine(each, style));
      },
    },
  };
}

function eventText(event: Exclude<ServiceEvent, { kind: 'line' }>, style: Style): string {
  switch (event.kind) {
    case 'starting':
      return style.dim(`starting (pid ${event.pid ?? 'none'})`);
    case 'up':
      return `${style.green('up')} ${style.dim(`(pid ${event.pid})`)}`;
    case 'reloading':
      return style.dim('sources changed: starting the new version');
    case 'reloaded':
      return `${style.green('new version up')} ${style.dim(`(pid ${event.pid})`)}`;
    case 'reload-failed':
      return `${style.red('the new version did not come up')}: ${event.why}`;
    case 'crashed':
      return `${style.red('ended')} (${event.how}); starting again in ${Math.round(event.againInMs / 1000)} s`;
    case 'stopped':
      return style.dim('stopped');
  }
}
