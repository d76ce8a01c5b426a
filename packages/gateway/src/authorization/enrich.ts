import type { AccessRequest, AddedContext, AttributeSource, Stages } from '@sallyport/core';

/**
 * Adds what attribute sources know to a request. Of members that several give the last one counts; facts are joined. What a
 * request has already stays as it is, for nobody may be talked out of it. Absent where there are no sources.
 */
export function createEnrich(sources: readonly AttributeSource[]): Stages['enrich'] {
  if (sources.length === 0) return undefined;
  return (request) => {
    const added = sources.map((source) => source.contextOf(request));
    // Sources that answer at once keep the hot path free of promises.
    return added.some((one) => one instanceof Promise)
      ? Promise.all(added).then((settled) => joined(request, settled))
      : joined(request, added as AddedContext[]);
  };
}

function joined(request: AccessRequest, added: readonly AddedContext[]): AccessRequest {
  const facts = Object.assign({}, ...added.map((one) => one.facts));
  return {
    ...request,
    context: Object.assign({}, ...added, Object.keys(facts).length > 0 && { facts }, request.context),
  };
}
