/** A key and its time. */
export interface Entry {
  readonly key: string;
  readonly time: number;
  /** Goes with the key, unread. */
  readonly group: number;
}

/**
 * Keys in the order of a time, earliest first: a binary heap. Times may be out of date, never too late: whoever reads
 * the first one looks up the truth and postpones it. So a key costs something when it comes and goes, not when it is used.
 */
export interface Queue {
  first(): Entry | undefined;
  add(entry: Entry): void;
  removeFirst(): void;
  /** Gives the first one a later time. */
  postponeFirst(time: number): void;
}

/** An empty queue. */
export function createQueue(): Queue {
  const heap: Entry[] = [];
  const timeAt = (index: number) => heap[index]?.time ?? Number.POSITIVE_INFINITY;

  function swap(a: number, b: number): void {
    const [left, right] = [heap[a], heap[b]];
    if (!left || !right) return;
    heap[a] = right;
    heap[b] = left;
  }

  function sink(): void {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const earlier = timeAt(left + 1) < timeAt(left) ? left + 1 : left;
      if (timeAt(earlier) >= timeAt(index)) return;
      swap(index, earlier);
      index = earlier;
    }
  }

  function rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (timeAt(parent) <= timeAt(index)) return;
      swap(index, parent);
      index = parent;
    }
  }

  return {
    first: () => heap[0],
    add(entry) {
      heap.push(entry);
      rise(heap.length - 1);
    },
    removeFirst() {
      const last = heap.pop();
      if (last === undefined || heap.length === 0) return;
      heap[0] = last;
      sink();
    },
    postponeFirst(time) {
      const first = heap[0];
      if (!first) return;
      heap[0] = { ...first, time };
      sink();
    },
  };
}
