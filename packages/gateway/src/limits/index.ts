export { createIntentCalls, type IntentCallsOptions } from './intent-calls.ts';
export {
  type BucketLimiter,
  type BucketTake,
  createMemoryLimiter,
  type MemoryLimiter,
  type MemoryLimiterOptions,
} from './memory.ts';
export { compileOverrides, type Patterned } from './patterns.ts';
export { defaultPresets, type LimitOverride, type PresetName, type Presets, type ToolLimit } from './presets.ts';
export { createRate, type RateOptions } from './stage.ts';
