import type { Endpoint, ListenEvent } from '@sallyport/core';
import { rewriteNotification, spliceMembers } from '@sallyport/protocol';
import type { TransportDeps } from './deps.ts';
import { namingAt, serviceAt } from './mcp-naming.ts';

/** A notification in parts. */
export interface EventMessage {
  readonly method: string;
  readonly paramsText: string;
}

interface Place {
  readonly deps: Pick<TransportDeps, 'sealer'>;
  readonly endpoint: Endpoint;
}

/** The notification that tells a subscriber of an event, in the names of its endpoint. */
export function eventMessage(place: Place, event: ListenEvent): EventMessage {
  const { endpoint } = place;
  switch (event.kind) {
    case 'resource': {
      // What changed may be part of what was subscribed to, so it is named by itself.
      const paramsText = renamed(
        { endpoint, method: updated, service: serviceAt(endpoint, event.uri) },
        event.paramsText,
      );
      return { method: updated, paramsText };
    }
    case 'task': {
      const paramsText = renamed(
        { endpoint, method: tasks, service: serviceOfTask(place, event.taskId) },
        event.paramsText,
      );
      return { method: tasks, paramsText: spliceMembers(paramsText, { taskId: JSON.stringify(event.taskId) }) };
    }
    default:
      return { method: `notifications/${event.kind}/list_changed`, paramsText: '{}' };
  }
}

const updated = 'notifications/resources/updated';
const tasks = 'notifications/tasks';

interface Renaming {
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly service: string | undefined;
}

function renamed({ endpoint, method, service }: Renaming, paramsText: string): string {
  return service === undefined ? paramsText : rewriteNotification(namingAt(endpoint, service), method, paramsText);
}

/** The id of a task says which tool made it, to those who sealed it. */
function serviceOfTask({ deps, endpoint }: Place, taskId: string): string | undefined {
  if (endpoint.kind === 'mount') return endpoint.service;
  const tool = deps.sealer.open('task', taskId)?.tool;
  return typeof tool === 'string' ? tool.split('.', 1)[0] : undefined;
}
