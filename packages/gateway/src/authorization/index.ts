import type { PolicyEngine } from '@sallyport/core';
import { intentBounds } from './intent-bounds.ts';
import { internalTools } from './internal-tools.ts';

/** The policy engines every gateway asks. */
export const policyEngines: readonly PolicyEngine[] = [internalTools, intentBounds];
