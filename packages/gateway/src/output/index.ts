import type { OutputFilter } from '@sallyport/core';

/** The filters every gateway applies: none yet. An embedder may bring its own. */
export const outputFilters: readonly OutputFilter[] = [];
