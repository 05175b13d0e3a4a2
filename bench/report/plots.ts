// What a run found, as pictures: file names and their SVG. No I/O.

import { type Plot, plotSvg } from './plot.ts';
import type { ComparedField, Results } from './results.ts';
import { figure } from './table.ts';

export function plotsOf({ throughput, latency }: Results): ReadonlyMap<string, string> {
  const plots: (readonly [string, Plot | undefined])[] = [
    ['throughput.svg', throughput && throughputPlot(throughput)],
    ['cpu.svg', throughput && cpuPlot(throughput)],
    ['latency.svg', latency && latencyPlot(latency)],
  ];
  return new Map(plots.flatMap(([name, plot]) => (plot ? [[name, plotSvg(plot)] as const] : [])));
}

function throughputPlot({ contenders, people }: ComparedField): Plot {
  return {
    title: 'Requests a second through one core of Envoy',
    subtitle: `${people.toLocaleString('en-US')} sessions, everything else on the other core; the median, and the least and the most`,
    parts: ['requests a second'],
    bars: contenders.map(({ title, requestsPerSecond: { median, from, to } }) => ({
      label: title,
      values: [median],
      text: `${figure(median)} (${figure(from)} to ${figure(to)})`,
    })),
  };
}

function cpuPlot({ contenders }: ComparedField): Plot {
  return {
    title: 'CPU time a request',
    subtitle: 'Microseconds; without the load and the application behind',
    parts: ['Envoy', 'authorizer', 'stand-in for Kratos'],
    bars: contenders.map(({ title, cpuMicros: { envoy, authorizer, kratos } }) => ({
      label: title,
      values: [envoy.median, authorizer?.median ?? 0, kratos?.median ?? 0],
    })),
  };
}

function latencyPlot({ contenders }: ComparedField): Plot {
  return {
    title: 'Latency far from full load',
    subtitle: 'Milliseconds at some five hundred requests a second; medians of the rounds',
    parts: ['p50', 'up to p99'],
    bars: contenders.map(({ title, p50Ms, p99Ms }) => ({
      label: title,
      values: [p50Ms.median, Math.max(0, p99Ms.median - p50Ms.median)],
      text: `${figure(p50Ms.median)}, ${figure(p99Ms.median)}`,
    })),
  };
}
