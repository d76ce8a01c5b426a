import type { Call } from '@sallyport/core';

/** What may be looked at before anybody is known. */
export type Arrival = Pick<Call, 'origin'>;

/** One reason not to let a request in at all. Throws `GatewayError`; returns when it has no objection. */
export interface AdmissionCheck {
  readonly kind: string;
  admit(arrival: Arrival): void | Promise<void>;
}
