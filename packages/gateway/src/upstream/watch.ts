import type { Feed, Stages } from '@sallyport/core';
import type { Sealing } from './sealing.ts';

/** What watching needs. */
export interface WatchPorts {
  feedOf(service: string): Feed | undefined;
  readonly sealing: Sealing;
}

/** Watches a resource, or a task by the id that its caller was given, at the service it belongs to. */
export function createWatch({ feedOf, sealing }: WatchPorts): Stages['watch'] {
  return ({ principal, target, topic }, onEvent) => {
    const feed = feedOf(target.service);
    const known = topic.kind === 'task' ? sealing.openTask(principal, topic.taskId) : undefined;
    if (feed === undefined || (topic.kind === 'task' && known === undefined)) return () => undefined;
    return feed.watch(known === undefined ? topic : { kind: 'task', taskId: known.taskId }, onEvent);
  };
}
