/** Thirty seconds, six digits, SHA-1 (RFC 6238): what every authenticator app takes. */
const periodS = 30;
const digits = 6;

/** A secret that was drawn, for the app of its user. */
export interface DrawnSecret {
  /** Base32. */
  readonly secret: string;
  /** `otpauth://totp/…`, for a QR code or a link. */
  readonly url: string;
}

/** Draws a secret for the second factor of a user. */
export async function drawTotpSecret(user: string, issuer: string): Promise<DrawnSecret> {
  const { Secret, TOTP } = await import('otpauth');
  const secret = new Secret({ size: 20 });
  const totp = new TOTP({ issuer, label: user, secret, digits, period: periodS });
  return { secret: secret.base32, url: totp.toString() };
}

/** The time step that a code is for, now or one step off; `undefined` for a code that is none. */
export async function totpStep(secret: string, code: string, nowMs: number): Promise<number | undefined> {
  const { Secret, TOTP } = await import('otpauth');
  const plain = code.replaceAll(/\s/g, '');
  if (!/^\d{6}$/.test(plain)) return undefined;
  const totp = new TOTP({ secret: Secret.fromBase32(secret), digits, period: periodS });
  const delta = totp.validate({ token: plain, timestamp: nowMs, window: 1 });
  return delta === null ? undefined : Math.floor(nowMs / 1000 / periodS) + delta;
}
