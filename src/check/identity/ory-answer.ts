// What is read of any answer of Ory's: its JSON, the time to wait, and a line in the log where it is no answer. No I/O.
import type { ThrottledLog } from '../log.ts';
import { isObject, type JsonObject, unavailable, type Verification } from './identity.ts';
import type { OryAnswer } from './ory-client.ts';

/** Undefined where the text is not a JSON object. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds to wait, from `Retry-After` or Ory Network's `x-ratelimit-reset`. */
export function retryAfter(answer: OryAnswer): number | undefined {
  const [text] = [...answer.header('retry-after'), ...answer.header('x-ratelimit-reset')];
  return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}

export type Outage = (
  reason: 'ory_unreachable' | 'ory_error' | 'ory_rate_limited',
  cause: string,
  retryAfterSeconds?: number,
) => Verification;

/** `message` says who gave no usable answer. */
export function outageAt(endpoint: string, log: ThrottledLog, message: string): Outage {
  return (reason, cause, retryAfterSeconds) => {
    log.warn(`${endpoint} ${reason} ${message}`, { endpoint, reason, cause }, message);
    return unavailable(reason, retryAfterSeconds);
  };
}
