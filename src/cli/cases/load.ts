// Reading a file of cases. Reads the file; everything else is pure.
import { readFileSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import type { Fault } from '../../config/fault.ts';
import { nearest } from '../../config/nearest.ts';
import { schemaWords } from '../../config/schema-faults.ts';
import { type Env, type FileKind, readYaml, unreadable } from '../../config/yaml-file.ts';
import { type Case, caseOf } from './case.ts';
import { type CaseEntry, casesSchema, type Expectation } from './schema.ts';
import { statusesOf } from './verdict.ts';

const CASES_FILE: FileKind<typeof casesSchema> = {
  schema: casesSchema,
  words: schemaWords(casesSchema, { schemaFile: 'schema/cases.schema.json' }),
  advice: { ifEmpty: 'Begin with cases:', ifTooLarge: 'Split it: ory-envoy test takes one file at a time' },
};

/** @throws {ConfigError} with every fault found, each with line and column, also where the file cannot be read. */
export function loadCases(file: string, config: Config): readonly Case[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error, 'Name the file of cases: ory-envoy test cases.yaml');
  }
  return parseCases(text, file, config);
}

/** `file` is used in messages alone. @throws {ConfigError} with every fault found. */
export function parseCases(text: string, file: string, config: Config, env: Env = process.env): readonly Case[] {
  const { content, lineOf, report, stopAtFaults } = readYaml(text, file, CASES_FILE, env);
  for (const fault of faultsBetween(content.cases, config)) report(fault);
  stopAtFaults();
  return content.cases.map((entry, i) => caseOf(entry, lineOf(['cases', i]), config.edge.publicUrl));
}

/** What is right in itself, and cannot be meant: a case that can only fail, or that proves nothing. */
function* faultsBetween(entries: readonly CaseEntry[], config: Config): Generator<Fault> {
  const names = new Set<string>();
  for (const [i, { name, expect }] of entries.entries()) {
    const path = ['cases', i];
    if (names.has(name))
      yield {
        path: [...path, 'name'],
        problem: `the case "${name}" is there twice`,
        fix: 'Give each a name of its own',
      };
    names.add(name);
    yield* faultsOfExpectation(expect, [...path, 'expect'], config);
  }
}

function* faultsOfExpectation(
  expect: Expectation,
  path: readonly (string | number)[],
  { rules }: Config,
): Generator<Fault> {
  const { status, reason, rule, headers = {} } = expect;
  if (status === undefined && reason === undefined && rule === undefined && Object.keys(headers).length === 0)
    yield { path, problem: 'a case that expects nothing proves nothing', fix: 'Give status, reason, rule or headers' };
  const names = rules.map((one) => one.name);
  if (typeof rule === 'string' && !names.includes(rule)) {
    const near = nearest(rule, names);
    yield {
      path: [...path, 'rule'],
      problem: `there is no rule "${rule}" in the configuration`,
      fix: near ? `Did you mean "${near}"?` : `Its rules: ${names.join(', ')}`,
    };
  }
  if (reason === undefined || status === undefined || statusesOf(reason).includes(status)) return;
  yield {
    path: [...path, 'status'],
    problem: `the reason ${reason} never comes with the status ${status}`,
    fix: `It comes with ${statusesOf(reason).join(' or ')}`,
  };
}
