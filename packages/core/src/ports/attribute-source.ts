import type { AccessRequest } from '../decision.ts';

/**
 * Adds what the gateway knows and the caller did not say: the risk, the environment, whether this caller ever called this tool.
 * What it adds is part of the request, and so of the record: the decision can be made again from it alone. An error of it
 * refuses the call.
 */
export interface AttributeSource {
  contextOf(request: AccessRequest): AddedContext | Promise<AddedContext>;
}

/** What may be added. Members of a later source replace those of an earlier one; `facts` are joined. */
export type AddedContext = Partial<
  Pick<AccessRequest['context'], 'environment' | 'catalogRevision' | 'risk' | 'facts'>
>;
