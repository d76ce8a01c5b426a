import type { Feed, JsonText, Topic } from '@sallyport/core';
import { isJsonObject, type JsonValue, keeperOf } from '@sallyport/protocol';

/** What the instances of a service make known between calls. */
export interface KitFeed extends Feed {
  /** Takes `updated` and `task` notifications of an instance. What nobody watches is dropped. */
  tell(instance: string, method: string, params: JsonValue | undefined): void;
}

/** Keeps who watches what. */
export function createKitFeed(): KitFeed {
  const watchers = new Map<string, Set<(paramsText: JsonText) => void>>();
  return {
    watch(topic, onEvent) {
      const key = keyOf(topic);
      const set = watchers.get(key) ?? new Set();
      watchers.set(key, set);
      // The same function may watch twice.
      const own = (paramsText: JsonText): void => onEvent(paramsText);
      set.add(own);
      return () => {
        set.delete(own);
        if (set.size === 0 && watchers.get(key) === set) watchers.delete(key);
      };
    },
    tell(instance, method, params) {
      const topic = isJsonObject(params) ? topicOf(instance, method, params) : undefined;
      const set = topic && watchers.get(keyOf(topic));
      if (topic === undefined || set === undefined) return;
      const text = JSON.stringify(topic.kind === 'resource' ? { uri: topic.uri } : params) as JsonText;
      for (const own of [...set]) own(text);
    },
  };
}

/** Nobody but the instance that keeps a task can tell of it. */
function topicOf(
  instance: string,
  method: string,
  { uri, taskId }: { readonly uri?: JsonValue; readonly taskId?: JsonValue },
): Topic | undefined {
  if (method === 'updated') return typeof uri === 'string' ? { kind: 'resource', uri } : undefined;
  return typeof taskId === 'string' && keeperOf(taskId) === instance ? { kind: 'task', taskId } : undefined;
}

function keyOf(topic: Topic): string {
  return topic.kind === 'resource' ? `resource:${topic.uri}` : `task:${topic.taskId}`;
}
