import { createHmac, type KeyObject } from 'node:crypto';

/** The name under which something is kept: tells nothing of the id itself, which is a secret for most. */
export function recordId(key: KeyObject, model: string, id: string): string {
  return createHmac('sha256', key).update(`${model}\0${id}`).digest('base64url');
}
