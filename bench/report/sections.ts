// What a run found, as the pages have it: named pieces of Markdown. No I/O.
import type { Compared } from '../part/compare.ts';
import type { Circumstances, ComparedField, Results } from './results.ts';
import { figure, spread, table } from './table.ts';
import { type Target, targetsOf } from './targets.ts';

/** By the name of the marker that they stand between. */
export function sectionsOf(results: Results): ReadonlyMap<string, string> {
  const sections: (readonly [string, string | undefined])[] = [
    ['targets', targetsTable(targetsOf(results))],
    ['headline', headline(results)],
    ['throughput', results.throughput && comparedTable(results.throughput)],
    ['load', results.throughput && loadText(results.throughput)],
    ['latency', results.latency && latencyTable(results.latency)],
    ['people', results.people && peopleTable(results.people.fields)],
    ['whoami', results.whoami && `A whoami takes ${results.whoami.whoamiMs} ms.\n\n${comparedTable(results.whoami)}`],
    ['paired', results.paired && pairedTable(results.paired)],
    ['memory', results.memory && memoryTable(results.memory.rows)],
    ['at-once', results['at-once'] && atOnceTable(results['at-once'])],
    ['start', results.start && startTable(results.start)],
    ['effect', results.effect && effectTable(results.effect)],
    ['rules', results.decision && rulesTable(results.decision)],
    ['sessions', results.decision && sessionsTable(results.decision)],
    ['machine', machineTable(results)],
  ];
  return new Map(sections.filter((one): one is readonly [string, string] => one[1] !== undefined));
}

function targetsTable(targets: readonly Target[]): string {
  return table(
    ['what', 'wanted', 'found', 'by CPU time', 'reached'],
    targets.map(({ what, wanted, found, byCpu }) => [
      what,
      wanted,
      found === undefined ? 'not measured' : foundText(found),
      byCpu === undefined ? '' : figure(byCpu),
      found === undefined ? '' : found.reached ? 'yes' : '**no**',
    ]),
  );
}

function foundText({ figure: median, from, to, unit }: NonNullable<Target['found']>): string {
  const text = from === undefined || to === undefined ? figure(median) : spread({ median, from, to });
  return unit === undefined ? text : `${text} ${unit}`;
}

/** What a first page says: the ratios that a reader chooses by. */
function headline({ throughput, paired, start }: Results): string | undefined {
  if (!throughput) return undefined;
  const bare = throughput.contenders.find((one) => one.id === 'no-auth');
  const rows = throughput.contenders.map(({ title, requestsPerSecond, cpuMicros }) => {
    const micros = totalCpu(cpuMicros);
    const times = bare === undefined ? '' : figure(micros / totalCpu(bare.cpuMicros));
    return [title, figure(micros), times, spread(requestsPerSecond)];
  });
  const more = [
    paired && `A session in the edge cache costs Envoy ${figure(1 / paired.ratio.median)} times a cached JWT.`,
    start && `\`serve\` is ready in ${figure(start.serve.median)} s.`,
  ].filter((one) => one !== undefined);
  const head = ['a request through Envoy', 'CPU µs', 'times Envoy without auth', 'a second, one core for Envoy'];
  return `${table(head, rows)}${more.length > 0 ? `\n\n${more.join(' ')}` : ''}`;
}

/** Of everything that decides, the application and the load left out. */
function totalCpu({ envoy, authorizer, kratos }: Compared['cpuMicros']): number {
  return envoy.median + (authorizer?.median ?? 0) + (kratos?.median ?? 0);
}

function comparedTable({ contenders, ...rest }: ComparedField & Circumstances): string {
  const rows = contenders.map(({ title, requestsPerSecond, p50Ms, p99Ms, cpuMicros, whoamisPerThousand }) => [
    title,
    spread(requestsPerSecond),
    figure(p50Ms.median),
    figure(p99Ms.median),
    figure(cpuMicros.envoy.median),
    cpuMicros.authorizer ? figure(cpuMicros.authorizer.median) : '',
    cpuMicros.kratos ? figure(cpuMicros.kratos.median) : '',
    figure(whoamisPerThousand),
  ]);
  return table(
    [
      'contender',
      'requests a second',
      'p50 ms',
      'p99 ms',
      'Envoy CPU µs',
      'authorizer CPU µs',
      'Kratos stand-in CPU µs',
      'whoami per 1,000',
    ],
    [...rows, ...rest.missing.map(({ title, why }) => [title, `missing: ${why}`, '', '', '', '', '', ''])],
  );
}

function loadText({ rounds, seconds, connections, people }: ComparedField): string {
  return `${rounds} rounds; in each, every contender is loaded for ${seconds} s over ${connections} connections, with the credentials of ${people.toLocaleString('en-US')} people.`;
}

function latencyTable({ contenders, missing }: ComparedField & Circumstances): string {
  return table(
    ['contender', 'requests a second', 'p50 ms', 'p99 ms'],
    [
      ...contenders.map(({ title, requestsPerSecond, p50Ms, p99Ms }) => [
        title,
        figure(requestsPerSecond.median),
        spread(p50Ms),
        spread(p99Ms),
      ]),
      ...missing.map(({ title, why }) => [title, `missing: ${why}`, '', '']),
    ],
  );
}

function peopleTable(fields: readonly ComparedField[]): string {
  const first = fields[0]?.contenders ?? [];
  const cell = (field: ComparedField, id: string) => {
    const one = field.contenders.find((contender) => contender.id === id);
    return one ? `${figure(one.requestsPerSecond.median)} (${figure(totalCpu(one.cpuMicros))} µs)` : '';
  };
  return table(
    ['contender', ...fields.map(({ people }) => `${people.toLocaleString('en-US')} session${people === 1 ? '' : 's'}`)],
    first.map(({ id, title }) => [title, ...fields.map((field) => cell(field, id))]),
  );
}

function pairedTable({ edgeCacheMicros, jwtAuthnMicros, ratio }: NonNullable<Results['paired']>): string {
  return table(
    ['Envoy’s CPU time a request', 'µs'],
    [
      ['edge cache', spread(edgeCacheMicros)],
      ['jwt_authn, ES256, cached', spread(jwtAuthnMicros)],
      ['jwt_authn over edge cache, pair by pair', spread(ratio)],
    ],
  );
}

function memoryTable(rows: NonNullable<Results['memory']>['rows']): string {
  return table(
    [
      'credential',
      'sessions',
      'edge cache, bytes a session',
      'Envoy, MiB resident before and after',
      'the same without the edge cache, after',
      'authorizer, bytes a session resident',
      'authorizer, MiB before and after',
    ],
    rows.map(({ credential, characters, sessions, edgeCacheBytes, envoyMiB, authorizerBytes, authorizerMiB }) => [
      `${credential}, ${characters} characters`,
      sessions.toLocaleString('en-US'),
      figure(edgeCacheBytes),
      `${figure(envoyMiB.before)}, ${figure(envoyMiB.after)}`,
      figure(envoyMiB.withoutEdgeCache),
      figure(authorizerBytes),
      `${figure(authorizerMiB.before)}, ${figure(authorizerMiB.after)}`,
    ]),
  );
}

function atOnceTable({ rows, missing }: NonNullable<Results['at-once']>): string {
  return table(
    ['contender', 'clients at once', 'whoami calls', 'ms until the last was answered'],
    [
      ...rows.map(({ title, clients, whoamis, milliseconds }) => [
        title,
        clients.toLocaleString('en-US'),
        whoamis.toLocaleString('en-US'),
        figure(milliseconds),
      ]),
      ...missing.map(({ title, why }) => [title, '', `missing: ${why}`, '']),
    ],
  );
}

function startTable({ serve, up }: NonNullable<Results['start']>): string {
  return table(
    ['from the command until', 'seconds'],
    [
      ['`serve` is ready', spread(serve)],
      ['`up` is up, with Envoy', spread(up)],
    ],
  );
}

function effectTable({ rows }: NonNullable<Results['effect']>): string {
  return table(
    ['from the change to its effect', 'ms'],
    rows.map(({ what, time }) => [what, spread(time)]),
  );
}

function rulesTable({ rules }: NonNullable<Results['decision']>): string {
  return table(
    ['credential', 'remembered', 'rules', 'µs', 'times ten rules, remembered', 'middle half'],
    rules.map(({ credential, remembered, rules, micros, times, from, to }) => [
      credential,
      remembered ? 'yes' : 'no',
      rules.toLocaleString('en-US'),
      figure(micros),
      times.toFixed(2),
      `${from.toFixed(2)} to ${to.toFixed(2)}`,
    ]),
  );
}

function sessionsTable({ sessions }: NonNullable<Results['decision']>): string {
  return table(
    ['remembered sessions', 'µs', 'times a thousand sessions', 'middle half', 'heap bytes a session'],
    sessions.map(({ sessions, micros, times, from, to, heapBytes }) => [
      sessions.toLocaleString('en-US'),
      figure(micros),
      times.toFixed(2),
      `${from.toFixed(2)} to ${to.toFixed(2)}`,
      figure(heapBytes),
    ]),
  );
}

function machineTable(results: Results): string | undefined {
  const rows = Object.entries(results).map(([part, result]) => {
    const { date, machine, load, versions, cores, envoyConcurrency } = result;
    return [
      part,
      date,
      `${machine.cores} cores, ${machine.processor}, ${figure(machine.memoryGiB)} GiB, ${machine.system}`,
      `Envoy on core ${cores.envoy} (--concurrency ${envoyConcurrency}), the rest on core ${cores.rest}`,
      `${figure(load.before)}, ${figure(load.after)}`,
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ];
  });
  return rows.length === 0
    ? undefined
    : table(['part', 'date', 'machine', 'cores used', 'load before, after', 'versions'], rows);
}
