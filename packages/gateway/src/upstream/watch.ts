import { accountKey, type Feed, type Stages, type Topic } from '@sallyport/core';
import type { Sealing } from './sealing.ts';
import { createShares } from './shares.ts';
import type { TaskKeeper } from './task-keeper.ts';

/** What watching needs. */
export interface WatchPorts {
  feedOf(service: string): Feed | undefined;
  readonly sealing: Sealing;
  readonly tasks: TaskKeeper;
  /** Resources and tasks that one account may watch at a time, each as often as there is somebody to tell. Default 2,000. */
  readonly maxPerAccount?: number;
}

/** Watches a resource, or a task by the id that its caller was given, at the service it belongs to, if that tells of any. */
export function createWatch({ feedOf, sealing, tasks, maxPerAccount = 2_000 }: WatchPorts): Stages['watch'] {
  const shares = createShares(maxPerAccount);
  return ({ principal, target, topic }, onEvent) => {
    const known = topic.kind === 'task' ? sealing.openTask(principal, topic.taskId) : undefined;
    if (topic.kind === 'task' && known === undefined) return undefined;
    const own: Topic = known === undefined ? topic : { kind: 'task', taskId: known.taskId };
    const feed = own.kind === 'task' && tasks.keeps(own.taskId) ? tasks : feedOf(target.service);
    if (feed === undefined) return undefined;
    const release = shares.take(accountKey(principal));
    try {
      const stop = feed.watch(own, onEvent);
      return () => {
        release();
        stop();
      };
    } catch (error) {
      release();
      throw error;
    }
  };
}
