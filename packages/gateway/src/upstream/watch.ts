import type { Feed, Stages, Topic } from '@sallyport/core';
import type { Sealing } from './sealing.ts';
import type { TaskKeeper } from './task-keeper.ts';

/** What watching needs. */
export interface WatchPorts {
  feedOf(service: string): Feed | undefined;
  readonly sealing: Sealing;
  readonly tasks: TaskKeeper;
}

/** Watches a resource, or a task by the id that its caller was given, at the service it belongs to, if that tells of any. */
export function createWatch({ feedOf, sealing, tasks }: WatchPorts): Stages['watch'] {
  return ({ principal, target, topic }, onEvent) => {
    const known = topic.kind === 'task' ? sealing.openTask(principal, topic.taskId) : undefined;
    if (topic.kind === 'task' && known === undefined) return undefined;
    const own: Topic = known === undefined ? topic : { kind: 'task', taskId: known.taskId };
    const feed = own.kind === 'task' && tasks.keeps(own.taskId) ? tasks : feedOf(target.service);
    return feed?.watch(own, onEvent);
  };
}
