/** Cedar itself. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

let loading: Promise<Cedar> | undefined;
let loaded: Cedar | undefined;

/** Loads Cedar (4 MB of WebAssembly) when somebody has a policy, and not before. */
export function loadCedar(): Promise<Cedar> {
  loading ??= import('@cedar-policy/cedar-wasm/nodejs').then((cedar) => {
    loaded = cedar;
    return cedar;
  });
  return loading;
}

/** Cedar, for those who have policies in their hands: it was loaded when those were read. @throws Error if it never was */
export function loadedCedar(): Cedar {
  if (loaded === undefined) throw new Error('Cedar is loaded with the first policies');
  return loaded;
}
