import type { Call, Endpoint } from '@sallyport/core';

/**
 * What identity is judged by: what was presented, and how it came in. Never what is asked for.
 *
 * `endpoint` is where the caller knocked; tokens are meant for some of those (RFC 8707) and some let anybody in.
 */
export type Evidence = Pick<Call, 'presented' | 'origin'> & { readonly endpoint?: Endpoint };
