// Reads [{endpoint, method, query, body}, …] from stdin and writes what the validators
// of each version say about them:
//   versions   the versions, oldest first
//   available  by endpoint, the versions that export its validators
//   verdicts   for each request, by version, the problems; none at all without validator
//   unset      by endpoint, the fields of its newest schema that no request sets

import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import qs from 'qs';

register('./loader.js', import.meta.url);

const readJSON = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url)));
const table = readJSON('validators.json');
const versions = Object.keys(readJSON('package.json').dependencies)
  .filter((name) => name.startsWith('rest-typings-'))
  .map((name) => name.slice('rest-typings-'.length));
const typings = {};
for (const version of versions) {
  typings[version] = await import(`rest-typings-${version}`);
}

const available = {};
for (const [endpoint, { validators }] of Object.entries(table)) {
  available[endpoint] = versions.filter((version) => validators.every((name) => typings[version][name]));
}

// The server parses a query string in nested style, and takes a missing body for {}.
function parameters({ method, query = {}, body = {} }) {
  if (method !== 'GET') return body;
  const pairs = Object.entries(query).flatMap(([key, value]) => [value].flat().map((v) => [key, v]));
  return qs.parse(new URLSearchParams(pairs).toString(), { arrayLimit: 500 });
}

// Ajv stops at the first error. Unknown fields are taken out one by one, so that the
// first of them does not hide the rest.
function problems(validate, data) {
  const found = [];
  data = structuredClone(data); // the validators coerce in place
  while (!validate(data)) {
    const [error] = validate.errors;
    if (validate.errors.length > 1 || error.keyword !== 'additionalProperties') {
      return [...found, describe(validate.errors, data)];
    }
    const keys = error.instancePath.split('/').slice(1);
    const extra = error.params.additionalProperty;
    found.push(`unknown field ${[...keys, extra].join('.')}`);
    delete keys.reduce((at, key) => at[key], data)[extra];
  }
  return found;
}

function describe(errors, data) {
  if (errors.some((error) => error.keyword === 'anyOf' && error.instancePath === '')) {
    return `no alternative takes ${Object.keys(data).sort().join(', ') || 'nothing'}`;
  }
  return errors.map(({ instancePath, message }) => `${instancePath.slice(1).replaceAll('/', '.')} ${message}`.trim()).join('; ');
}

function schemaFields(schema, path = '') {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return alternatives.flatMap((one) => schemaFields(one, path));
  if (schema.items) return schemaFields(schema.items, `${path}[]`);
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const field = path ? `${path}.${key}` : key;
    return [field, ...schemaFields(value, field)];
  });
}

function dataFields(data, path = '') {
  if (Array.isArray(data)) return data.flatMap((one) => dataFields(one, `${path}[]`));
  if (data === null || typeof data !== 'object') return [];
  return Object.entries(data).flatMap(([key, value]) => {
    const field = path ? `${path}.${key}` : key;
    return [field, ...dataFields(value, field)];
  });
}

const verdicts = [];
const set = {};
for (const request of JSON.parse(readFileSync(0, 'utf8'))) {
  const { endpoint } = request;
  const data = parameters(request);
  const byVersion = {};
  for (const version of available[endpoint] ?? []) {
    const all = table[endpoint].validators.flatMap((name) => problems(typings[version][name], data));
    byVersion[version] = [...new Set(all)];
  }
  verdicts.push(byVersion);
  (set[endpoint] ??= []).push(...dataFields(data));
}

const unset = {};
for (const endpoint of Object.keys(table)) {
  const newest = typings[available[endpoint].at(-1)];
  const fields = table[endpoint].validators.flatMap((name) => schemaFields(newest?.[name].schema ?? {}));
  unset[endpoint] = [...new Set(fields)].filter((field) => !set[endpoint]?.includes(field)).sort();
}

process.stdout.write(JSON.stringify({ versions, available, verdicts, unset }));
