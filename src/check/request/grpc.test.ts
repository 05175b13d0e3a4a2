// Checks as an Envoy of today, of tomorrow, or nobody at all would send them.
import { fromBinary } from '@bufbuild/protobuf';
import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { createCheck } from '../check.ts';
import { IdentityCache } from '../identity/cache/memory.ts';
import { rejected } from '../identity/identity.ts';
import { createGrpcWriter } from '../response/grpc.ts';
import { CheckRequestSchema } from '../testing/ext_authz_pb.ts';
import { type WireCheck, wireAnswer, wireCheck } from '../testing/grpc-wire.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import type { CheckRequest } from './check-request.ts';
import { readGrpcCheck } from './grpc.ts';
import { HeaderLines } from './header-lines.ts';

const LINES = [
  ['authorization', 'Bearer a'],
  ['x-session-token', 't'],
  ['cookie', 'a=1'],
  ['authorization', 'Bearer b'],
  ['x-session-token', 'u'],
  ['cookie', 'b=2'],
  ['accept', 'text/html'],
  ['x-request-id', 'r'],
  ['x-requested-with', 'XMLHttpRequest'],
  ['sec-fetch-mode', 'cors'],
  ['sec-fetch-dest', 'empty'],
] as const;

describe('reading', () => {
  test.each(['raw', 'map'] as const)('takes method, host, path, query and every line as they came, as %s', (as) => {
    expect(
      readGrpcCheck(
        wireCheck({ method: 'DELETE', host: 'App.Example:80', target: '/a%2fb?c=/d#e?f', headers: LINES, as }),
      ),
    ).toEqual({
      method: 'DELETE',
      host: 'App.Example:80',
      path: '/a%2fb',
      query: '?c=/d#e?f',
      authorization: ['Bearer a', 'Bearer b'],
      sessionToken: ['t', 'u'],
      cookie: ['a=1', 'b=2'],
      preflight: false,
      accept: 'text/html',
      requestedWith: 'XMLHttpRequest',
      secFetchMode: 'cors',
      secFetchDest: 'empty',
      requestId: 'r',
    });
  });

  test('is one character a byte, whatever the bytes are', () => {
    const every = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
    for (const as of ['raw', 'map'] as const) {
      const check = readGrpcCheck(
        wireCheck({
          method: every,
          host: every,
          target: every,
          headers: [
            ['cookie', every],
            ['authorization', every],
          ],
          as,
        }),
      );
      expect([check.method, check.host, check.path + check.query]).toEqual([every, every, every]);
      expect([check.cookie, check.authorization]).toEqual([[every], [every]]);
    }
  });

  test('knows a header in any case, and none by a name that is only like it', () => {
    const check = readGrpcCheck(
      wireCheck({
        headers: [
          ['Cookie', 'a'],
          ['COOKIE', 'b'],
          ['coo\u00efkie', 'c'],
          ['cookie\0', 'd'],
          [' cookie', 'e'],
          ['\u212aookie', 'f'],
          ['__proto__', 'g'],
        ],
      }),
    );
    expect(check.cookie).toEqual(['a', 'b']);
  });

  test('looks at the joined headers only where there are no raw ones', () => {
    const both = Buffer.concat([
      wireCheck({ headers: [['x-session-token', 'joined']], as: 'map' }),
      wireCheck({ headers: [['x-session-token', 'raw']], as: 'raw' }),
    ]);
    expect(readGrpcCheck(both).sessionToken).toEqual(['raw']);
    const emptyRaw = Buffer.concat([wireCheck({ headers: [['x-session-token', 'joined']], as: 'map' }), wireCheck({})]);
    expect(readGrpcCheck(emptyRaw).sessionToken).toEqual([]);
  });

  test.each([
    ['OPTIONS', ['origin', 'access-control-request-method'], true],
    ['OPTIONS', ['origin'], false],
    ['OPTIONS', ['access-control-request-method'], false],
    ['GET', ['origin', 'access-control-request-method'], false],
  ])('%s with %j is a preflight: %s', (method, names, preflight) => {
    const headers = names.map((name): [string, string] => [name, 'GET']);
    expect(readGrpcCheck(wireCheck({ method, headers })).preflight).toBe(preflight);
  });

  test('of a message without a request is a request without anything', () => {
    expect(readGrpcCheck(new Uint8Array())).toMatchObject({ method: '', host: undefined, path: '', query: '' });
  });
});

/** What an Envoy sends that is not read here, and what one might send some day: at every level, of every wire type. */
function newer(writer: BinaryWriter): void {
  writer.tag(900, WireType.Varint).uint64('18446744073709551615');
  writer.tag(901, WireType.Bit32).fixed32(7);
  writer.tag(902, WireType.Bit64).fixed64('7');
  writer.tag(903, WireType.LengthDelimited).bytes(wireCheck({ target: '/public/x', headers: [['cookie', 'a=evil']] }));
  writer.tag(904, WireType.LengthDelimited).string('x-session-token: evil');
  writer.tag(905, WireType.StartGroup).tag(1, WireType.LengthDelimited).string('/public/x').tag(905, WireType.EndGroup);
  writer.tag(536_870_911, WireType.Varint).bool(true);
}

/** Fields of Envoy 1.40 beside those that are read, with their numbers. */
function beside(): Uint8Array {
  const text = (no: number, value: string) => (writer: BinaryWriter) =>
    writer.tag(no, WireType.LengthDelimited).string(value);
  const open = (writer: BinaryWriter, no: number, ...fill: ((child: BinaryWriter) => unknown)[]) => {
    writer.tag(no, WireType.LengthDelimited).fork();
    for (const one of fill) one(writer);
    writer.join();
  };
  let out = new Uint8Array();
  wireCheck({
    more: (writer) => {
      if (out.length > 0) return;
      open(writer, 1, (attributes) => {
        open(attributes, 1, text(2, 'service'), text(4, 'spiffe://x'), text(5, 'certificate'));
        open(attributes, 2, text(2, 'destination'));
        open(attributes, 4, (request) => {
          open(request, 1, (time) => time.tag(1, WireType.Varint).uint32(1));
          open(
            request,
            2,
            text(1, 'id'),
            text(6, 'https'),
            text(7, 'q=/public'),
            text(8, 'fragment'),
            (http) => http.tag(9, WireType.Varint).int64('-1'),
            text(10, 'HTTP/2'),
            text(11, 'body'),
            text(12, 'raw body'),
          );
        });
        open(attributes, 10, text(1, 'rule'), text(2, 'public'));
        open(attributes, 11, text(1, 'metadata'));
        open(attributes, 12, text(1, 'sni'));
        open(attributes, 13, text(1, 'route metadata'));
      });
      out = writer.finish();
    },
  });
  return out;
}

const config = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://127.0.0.1:3000" }
rules: [{ name: app, match: { path: "/app/**" }, require: { session: {} } }]
`,
  'f.yaml',
  { env: {} },
);

const log = new RecordingLog();
/** With a Kratos that knows one session. */
const check = createCheck({
  config,
  log,
  clock: () => 0,
  cache: new IdentityCache({ ...config.cache, ttlMs: 0, negativeTtlMs: 0, clock: () => 0 }),
  verifiers: {
    session: {
      verify: async ({ value }) =>
        value === 'good'
          ? {
              kind: 'verified',
              identity: { kind: 'session', session: { id: 's', identity: { id: 'i' } }, expiresAtMs: undefined },
              cacheForMs: undefined,
              setCookie: [],
            }
          : rejected('session_invalid'),
      stillTrusted: () => true,
    },
    token: undefined,
  },
});
const write = createGrpcWriter(config, log, () => 0);

/** The whole way of a message: the reason of its verdict, or `error` where it is refused as a message. */
async function judge(message: Uint8Array): Promise<string> {
  let request: ReturnType<typeof readGrpcCheck>;
  try {
    request = readGrpcCheck(message);
  } catch {
    return 'error';
  }
  const { code, metadata } = wireAnswer(write(request, await check(request)));
  expect(code === 0).toBe(metadata['ory-reason'] === 'session');
  return metadata['ory-reason'] ?? 'no reason';
}

const GOOD: WireCheck = { target: '/app/x', headers: [['x-session-token', 'good']] };

describe('an Envoy that says more', () => {
  test.each<[string, WireCheck, string]>([
    ['a session', GOOD, 'session'],
    ['a session, in joined headers', { ...GOOD, as: 'map' }, 'session'],
    ['a wrong one', { ...GOOD, headers: [['x-session-token', 'bad']] }, 'session_invalid'],
    ['two', { ...GOOD, headers: [...(GOOD.headers ?? []), ['x-session-token', 'bad']] }, 'credential_ambiguous'],
    ['none', { target: '/app/x' }, 'credential_missing'],
    ['no rule', { ...GOOD, target: '/other' }, 'no_rule'],
    ['no path', { ...GOOD, target: '' }, 'path_ambiguous'],
  ])('is judged like one that does not: %s', async (_, check, reason) => {
    expect(await judge(wireCheck(check))).toBe(reason);
    expect(await judge(wireCheck({ ...check, more: newer }))).toBe(reason);
    expect(await judge(Buffer.concat([beside(), wireCheck(check)]))).toBe(reason);
    expect(await judge(Buffer.concat([wireCheck(check), beside()]))).toBe(reason);
  });
});

describe('what is no message', () => {
  test.each<[string, Uint8Array]>([
    ['an empty message', new Uint8Array()],
    ['a length beyond the end', Buffer.from([0x0a, 0xff])],
    ['an endless number', Buffer.alloc(64, 0xff)],
    ['field zero', Buffer.from([0x00, 0x00])],
    ['a wire type that is none', Buffer.from([0x0f])],
    ['a number where attributes should be', Buffer.from([0x08, 0x01])],
    ['100,000 groups, one in the other', Buffer.alloc(100_000, 0x0b)],
    ['100,000 levels, one in the other', nested(100_000)],
    ['a good message that ends early', wireCheck(GOOD).subarray(0, -1)],
    ['JSON', Buffer.from('{"attributes":{}}')],
  ])('lets nobody in: %s', async (_, message) => {
    expect(['error', 'path_ambiguous']).toContain(await judge(message));
  });

  test('lets nobody in, whatever the bytes are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await judge(bytes)).not.toMatch(/^(?:session|token|anonymous)$/);
      }),
      { numRuns: 2_000, seed: 4 },
    );
  });

  test('lets nobody in with bytes changed in a message that has the credential elsewhere', async () => {
    const elsewhere = wireCheck({
      target: '/app/x',
      headers: [['x-other', 'good']],
      more: (writer) => writer.tag(900, WireType.LengthDelimited).string('x-session-token'),
    });
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(elsewhere.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const bytes = Uint8Array.from(elsewhere);
          for (const [at, byte] of changes) bytes[at] = byte;
          const reason = await judge(bytes);
          outcomes.add(reason);
          expect(reason).not.toMatch(/^(?:session|token|anonymous)$/);
        },
      ),
      { numRuns: 3_000, seed: 5 },
    );
    expect([...outcomes]).toEqual(expect.arrayContaining(['error', 'credential_missing', 'path_ambiguous', 'no_rule']));
  });
});

/** The same message as the generated code of the schema reads it. */
function readByTheSchema(message: Uint8Array): CheckRequest {
  const { attributes } = fromBinary(CheckRequestSchema, message, { readUnknownFields: false });
  const http = attributes?.request?.http;
  const text = (bytes: Uint8Array = new Uint8Array()) => Buffer.from(bytes).toString('latin1');
  const lines = new HeaderLines();
  for (const { key, value, rawValue } of (http?.headerMap ?? http)?.headers ?? [])
    lines.add(text(key).toLowerCase(), text(rawValue.length > 0 ? rawValue : value));
  return lines.toRequest(text(http?.method), text(http?.host) || undefined, text(http?.path));
}

describe('reading by hand', () => {
  const headers = fc.array(
    fc.tuple(
      fc.constantFrom('cookie', 'Cookie', 'authorization', 'x-session-token', 'origin', 'accept', 'ory-policy', 'x'),
      fc.string({ unit: 'binary', maxLength: 300 }).map((text) => Buffer.from(text).toString('latin1')),
    ),
    { maxLength: 6 },
  );
  const message = fc
    .record({
      method: fc.string(),
      host: fc.string(),
      target: fc.string({ maxLength: 200 }),
      headers,
      newer: fc.boolean(),
    })
    .chain(({ newer: isNewer, ...check }) =>
      fc
        .constantFrom('raw' as const, 'map' as const)
        .map((as) => wireCheck({ ...check, as, ...(isNewer ? { more: newer } : {}) })),
    );

  test('comes to what the schema says, of one message and of two that are joined', () => {
    fc.assert(
      fc.property(message, message, (one, other) => {
        for (const whole of [one, Buffer.concat([one, other])])
          expect(readGrpcCheck(whole)).toEqual(readByTheSchema(whole));
      }),
    );
  });

  test('reads nothing from a field of another wire type than its own', () => {
    // Attributes, request, http: path and host as numbers beside a method.
    const numbers = Buffer.from([0x0a, 0x0b, 0x22, 0x09, 0x12, 0x07, 0x20, 0x2f, 0x28, 0x61, 0x12, 0x01, 0x47]);
    expect(readGrpcCheck(numbers)).toMatchObject({ method: 'G', host: undefined, path: '' });
  });
});

/** Field 1 within field 1, and so on. */
function nested(levels: number): Uint8Array {
  let length = 0;
  const heads: Buffer[] = [];
  for (let i = 0; i < levels; i++) {
    const size: number[] = [];
    for (let rest = length; ; rest >>>= 7) {
      if (rest < 0x80) {
        size.push(rest);
        break;
      }
      size.push((rest & 0x7f) | 0x80);
    }
    const head = Buffer.from([0x0a, ...size]);
    heads.push(head);
    length += head.length;
  }
  return Buffer.concat(heads.reverse());
}
