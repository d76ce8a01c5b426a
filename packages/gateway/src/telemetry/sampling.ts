/** Whether a trace is kept: `parentSampled` is what its caller says, undefined where the trace begins here. */
export type Sampler = (traceId: string, parentSampled: boolean | undefined) => boolean;

type Environment = Readonly<Record<string, string | undefined>>;

const always: Sampler = () => true;
const never: Sampler = () => false;

/**
 * The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` name
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). Default, and for names that are not
 * known: `parentbased_always_on`.
 */
export function samplerOf({ OTEL_TRACES_SAMPLER: name = '', OTEL_TRACES_SAMPLER_ARG: argument }: Environment): Sampler {
  const roots: Readonly<Record<string, Sampler>> = {
    always_on: always,
    always_off: never,
    traceidratio: ofRatio(argument),
  };
  const [, based, root = ''] = /^(parentbased_)?(.*)$/.exec(name.trim()) ?? [];
  const sampler = roots[root];
  if (sampler === undefined) return parentBased(always);
  return based === undefined ? sampler : parentBased(sampler);
}

function parentBased(root: Sampler): Sampler {
  return (traceId, parentSampled) => parentSampled ?? root(traceId, undefined);
}

/** The end of a trace id is random (W3C Trace Context level 2). 52 bits are what a number holds. */
function ofRatio(argument = '1'): Sampler {
  const given = Number(argument);
  const ratio = given >= 0 && given <= 1 ? given : 1;
  return (traceId) => Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}
