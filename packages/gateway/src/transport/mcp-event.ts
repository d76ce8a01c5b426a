import type { Endpoint, ListenEvent } from '@sallyport/core';
import { rewriteNotification, spliceMembers } from '@sallyport/protocol';
import { namingAt } from './mcp-naming.ts';

/** A notification in parts. */
export interface EventMessage {
  readonly method: string;
  readonly paramsText: string;
}

/** The notification that tells a subscriber of an event, in the names of its endpoint. */
export function eventMessage(endpoint: Endpoint, event: ListenEvent): EventMessage {
  switch (event.kind) {
    case 'resource': {
      // What changed may be part of what was subscribed to, so it is named by itself.
      const naming = namingAt(endpoint, event.service);
      return { method: updated, paramsText: rewriteNotification(naming, updated, event.paramsText) };
    }
    case 'task': {
      const paramsText = rewriteNotification(namingAt(endpoint, event.service), tasks, event.paramsText);
      return { method: tasks, paramsText: spliceMembers(paramsText, { taskId: JSON.stringify(event.taskId) }) };
    }
    default:
      return { method: `notifications/${event.kind}/list_changed`, paramsText: '{}' };
  }
}

const updated = 'notifications/resources/updated';
const tasks = 'notifications/tasks';
