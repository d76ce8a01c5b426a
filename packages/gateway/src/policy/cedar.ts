/** Cedar itself. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

let loaded: Promise<Cedar> | undefined;

/** Loads Cedar (12 MB of WebAssembly) when somebody has a policy, and not before. */
export function loadCedar(): Promise<Cedar> {
  loaded ??= import('@cedar-policy/cedar-wasm/nodejs');
  return loaded;
}
