import { GatewayError, type Stages, type Tool, type Upstream } from '@sallyport/core';

/** What dispatch needs: the way to a service, as things are now. */
export interface DispatchPorts {
  find(service: string): Upstream | undefined;
  /** Whether a tool is still defined as it was when the call was decided. Absent: always. */
  isCurrent?(tool: Tool): boolean;
}

/**
 * Sends a permitted call to its service. The tool may have changed while the call waited (for an approval, say): then
 * what was permitted is not there any more, and nothing is sent.
 */
export function createDispatch({ find, isCurrent }: DispatchPorts): Stages['dispatch'] {
  return async (permit, hop) => {
    const upstream = find(permit.tool.service);
    if (upstream === undefined) throw new GatewayError('upstream_unavailable', {}, { cause: 'the service is gone' });
    if (isCurrent && !isCurrent(permit.tool)) {
      throw new GatewayError('upstream_unavailable', {}, { cause: 'the tool was redefined since the decision' });
    }
    return upstream.open(permit, hop);
  };
}
