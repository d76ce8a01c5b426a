import { isTooDeep } from './nesting.ts';

/** Cedar itself. */
export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

let loading: Promise<Cedar> | undefined;
let loaded: Cedar | undefined;

/** Loads Cedar (4 MB of WebAssembly) when somebody has a policy, and not before. */
export function loadCedar(): Promise<Cedar> {
  loading ??= import('@cedar-policy/cedar-wasm/nodejs').then((cedar) => {
    loaded = withShallowTexts(cedar);
    return loaded;
  });
  return loading;
}

/** Cedar, for those who have policies in their hands: it was loaded when those were read. @throws Error if it never was */
export function loadedCedar(): Cedar {
  if (loaded === undefined) throw new Error('Cedar is loaded with the first policies');
  return loaded;
}

/** What runs over its stack breaks this instance of it, for all policies and for ever: such texts never get there. */
function withShallowTexts(cedar: Cedar): Cedar {
  const tooDeep: ReturnType<Cedar['policyToJson']> = {
    type: 'failure',
    errors: [
      {
        ...{ message: 'the policy is nested too deeply: write several policies, or a set', help: null, code: null },
        ...{ url: null, severity: null },
      },
    ],
  };
  return {
    ...cedar,
    policyToJson: (policy) => (typeof policy === 'string' && isTooDeep(policy) ? tooDeep : cedar.policyToJson(policy)),
  };
}
