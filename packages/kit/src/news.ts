/** What a service makes known between calls. */
export type News =
  | { readonly kind: 'updated'; readonly uri: string }
  /** The params of `notifications/tasks` as JSON text. */
  | { readonly kind: 'task'; readonly taskText: string };

/** Tells everybody who listens. */
export interface NewsDesk {
  tell(news: News): void;
  /** Returns how to stop. */
  listen(listener: (news: News) => void): () => void;
}

/** Makes one. */
export function createNewsDesk(): NewsDesk {
  const listeners = new Set<(news: News) => void>();
  return {
    tell(news) {
      for (const listener of listeners) listener(news);
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
