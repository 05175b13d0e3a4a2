// What a verdict comes to, whatever transport writes it: what the application gets, or what the client is told. No I/O.
import { LRUCache } from 'lru-cache';
import type { Config, IdentityHeader } from '../../config/config.ts';
import type { Clock } from '../clock.ts';
import type { Identity } from '../identity/identity.ts';
import type { Log } from '../log.ts';
import type { Reason } from '../reason.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { type Allow, type Deny, deny, type Verdict } from '../verdict.ts';
import { WIRE } from '../wire.ts';
import { type Denial, denialOf } from './denial.ts';
import { cacheForMs, type EdgeCacheBounds } from './edge-cache.ts';
import { type HeaderPair, identityHeaders } from './identity-headers.ts';
import { setCookies } from './set-cookie.ts';

export type Answer = { readonly reason: Reason; readonly rule: string | undefined } & (
  | {
      readonly kind: 'allow';
      /** The same object for the same identity, as long as it is often asked about. */
      readonly changes: Changes;
      /** For the client, each a header line of its own. */
      readonly setCookie: readonly string[];
      /** For how many milliseconds the edge cache may remember it; 0: not at all. */
      readonly cacheForMs: number;
    }
  | { readonly kind: 'deny'; readonly denial: Denial }
);

export type AnswerOf = (verdict: Verdict, request: CheckRequest) => Answer;

/** A yes that cannot be written becomes a denial, and a line in the log. */
export function createAnswerer(config: Config, log: Log, clock: Clock): AnswerOf {
  const changesOf = createChanges(config.identityHeaders);
  const bounds = { edgeTtlMs: config.cache.edgeTtlMs, sessionCookies: config.sessionCookies };
  const denied = (verdict: Deny, request: CheckRequest): Answer => {
    const denial = denialOf(verdict, request, config, clock());
    const { reason } = verdict;
    const rule = verdict.rule?.name;
    if (denial.loginLoop) log.warn({ rule, reason }, 'the login leads back to the same denial');
    return { kind: 'deny', reason, rule, denial };
  };
  return (verdict, request) => {
    if (verdict.kind === 'deny') return denied(verdict, request);
    try {
      return allowed(verdict, request, config, changesOf(verdict.identity), bounds, clock());
    } catch (error) {
      // The messages name a header, never a value.
      const cause = error instanceof Error ? error.message : typeof error;
      log.error({ rule: verdict.rule.name, cause }, 'a yes could not be written: the request is denied');
      return denied(deny('internal_error', verdict.rule), request);
    }
  };
}

function allowed(
  verdict: Allow,
  request: CheckRequest,
  config: Config,
  changes: Changes,
  bounds: EdgeCacheBounds,
  nowMs: number,
): Answer {
  const { reason, rule } = verdict;
  const setCookie = setCookies(verdict, request, config);
  // Checked here because gRPC would carry a line break as far as Envoy, and what is not UTF-8 not at all.
  if (!setCookie.every(isHeaderValue)) throw new Error('set-cookie is not a header value');
  return {
    kind: 'allow',
    reason,
    rule: rule.name,
    changes,
    setCookie,
    cacheForMs: cacheForMs(verdict, request, bounds, nowMs),
  };
}

/** What an identity changes in a request. */
export interface Changes {
  /** Request headers that are set, in place of any that are there. */
  readonly set: readonly HeaderPair[];
  /** Request headers that are removed, in lower case. */
  readonly remove: readonly string[];
}

/** What a transport writes of changes: made once, and kept for as long as they are. */
export function onceForEach<Written extends object>(
  write: (changes: Changes) => Written,
): (changes: Changes) => Written {
  const all = new WeakMap<Changes, Written>();
  return (changes) => {
    let written = all.get(changes);
    if (!written) {
      written = write(changes);
      all.set(changes, written);
    }
    return written;
  };
}

/** The cache hands out the same identity for each check. Made once for those that come often, not kept for all. */
const MAX_CHANGES = 10_000;

function createChanges(headers: readonly IdentityHeader[]): (identity: Identity | undefined) => Changes {
  const removals = new Removals(headers);
  const made = new LRUCache<Identity, Changes>({ max: MAX_CHANGES });
  const ofNobody: Changes = { set: [], remove: removals.without([]) };
  return (identity) => {
    if (!identity) return ofNobody;
    let changes = made.get(identity);
    if (!changes) {
      const set = identityHeaders(identity, headers);
      changes = { set, remove: removals.without(set) };
      made.set(identity, changes);
    }
    return changes;
  };
}

/** RFC 9110, section 5.5, without obs-text. */
function isHeaderValue(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

/**
 * Identity headers that this verdict does not set are removed, in the spellings that applications take for the same name;
 * and what the edge cache said, which holds a credential.
 */
class Removals {
  readonly #spellings: readonly { readonly name: string; readonly others: readonly string[] }[];
  readonly #lists = new Map<string, readonly string[]>();

  constructor(headers: readonly IdentityHeader[]) {
    this.#spellings = headers.map((header) => {
      const name = header.name.toLowerCase();
      return { name, others: spellings(name).filter((one) => one !== name) };
    });
  }

  without(set: readonly HeaderPair[]): readonly string[] {
    const key = set.map(([name]) => name).join();
    let list = this.#lists.get(key);
    if (list === undefined) {
      const names = new Set(set.map(([name]) => name));
      list = [
        ...this.#spellings.flatMap(({ name, others }) => (names.has(name) ? others : [name, ...others])),
        WIRE.edgeKey,
      ];
      this.#lists.set(key, list);
    }
    return list;
  }
}

const SEPARATORS = ['-', '_', '.'];

/** A power of three: the schema bounds the separators of a name. */
function spellings(name: string): string[] {
  const words = name.split(/[-_]/);
  let found = [words[0] ?? ''];
  for (const word of words.slice(1))
    found = found.flatMap((begin) => SEPARATORS.map((separator) => `${begin}${separator}${word}`));
  return found;
}
