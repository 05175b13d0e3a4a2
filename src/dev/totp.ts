// One-time codes of an authenticator app: RFC 6238 with SHA-1, six digits and 30 seconds, which is all that apps agree
// on and what Kratos does. No I/O.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const periodMs = 30_000;
const digits = 6;
const secretBytes = 20;
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A secret as an authenticator app takes it: base32 (RFC 4648) without padding. */
export function newTotpSecret(): string {
  const bits = [...randomBytes(secretBytes)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.replaceAll(/.{5}/g, (five) => alphabet[Number.parseInt(five, 2)] ?? '');
}

/** @throws {RangeError} where the secret is not base32 */
export function totpCode(secret: string, nowMs: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(nowMs / periodMs)));
  const mac = createHmac('sha1', decodeBase32(secret)).update(counter).digest();
  // RFC 4226, section 5.3: the last four bits say where the 31 bits of the code begin.
  const offset = (mac.at(-1) ?? 0) & 0x0f;
  const number = mac.readUInt32BE(offset) & 0x7f_ff_ff_ff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/** The code of now, of the period before or of the one after: clocks of telephones differ. */
export function totpMatches(secret: string, code: string, nowMs: number): boolean {
  const given = Buffer.from(code.trim());
  const codes = [-periodMs, 0, periodMs].map((shiftMs) => Buffer.from(totpCode(secret, nowMs + shiftMs)));
  return codes.filter((right) => right.length === given.length && timingSafeEqual(right, given)).length > 0;
}

/** What a QR code for an authenticator app says. */
export function totpUrl(issuer: string, account: string, secret: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const query = new URLSearchParams({ algorithm: 'SHA1', digits: String(digits), issuer, period: '30', secret });
  return `otpauth://totp/${label}?${query}`;
}

function decodeBase32(text: string): Buffer {
  const values = [...text].map((letter) => alphabet.indexOf(letter));
  if (text === '' || values.includes(-1)) throw new RangeError('the secret of an authenticator app is base32');
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
}
