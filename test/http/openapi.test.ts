import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiPage } from '../../scripts/docs/openapi-page.ts';
import { openApiDocument } from '../../src/http/openapi.ts';
import { routeOf } from '../../src/http/route.ts';
import { PAGE_QUERY } from '../../src/http/list.ts';

const ROOT = join(import.meta.dirname, '..', '..');

interface Operation {
  readonly operationId: string;
  readonly security: Record<string, string[]>[];
  readonly description: string;
  readonly parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  readonly requestBody?: { required: boolean; content: Record<string, { schema: Record<string, unknown> }> };
  readonly responses: Record<string, unknown>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

const document = JSON.parse(openApiPage()) as Document;

describe('the OpenAPI document', () => {
  it('is the one in docs/, which `npm run docs:generate` writes', () => {
    expect(readFileSync(join(ROOT, 'docs/openapi.json'), 'utf8')).toBe(openApiPage());
  });

  it('passes every rule of Spectral, without a warning', () => {
    const directory = mkdtempSync(join(tmpdir(), 'mintmark-openapi-'));
    try {
      const file = join(directory, 'openapi.json');
      writeFileSync(file, JSON.stringify(document));
      const lint = spawnSync(
        process.execPath,
        [
          join(ROOT, 'node_modules/@stoplight/spectral-cli/dist/index.js'),
          ...['lint', file, '--ruleset', join(ROOT, 'test/http/openapi-ruleset.yaml')],
          ...['--fail-severity', 'hint', '--format', 'text'],
        ],
        { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
      );
      expect(`${lint.stdout}${lint.stderr}`).toContain('No results with a severity of');
      expect(lint.status).toBe(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('says of every operation who may call it, and how it is refused', () => {
    for (const operations of Object.values(document.paths)) {
      for (const operation of Object.values(operations)) {
        expect(operation.security.length).toBeGreaterThan(0);
        expect(operation.responses['default']).toEqual({ $ref: '#/components/responses/Problem' });
      }
    }
  });

  it('has the scope of a route in its description', () => {
    expect(document.paths['/api/v1/api-keys']?.['post']?.description).toContain('`api-keys:write`');
    expect(document.paths['/api/v1/tenants']?.['post']?.security).toEqual([{ operatorSocket: [] }]);
  });

  it('is made from the same schemas that check requests', () => {
    const route = routeOf<null, null>()({
      method: 'POST',
      path: '/api/v1/things/{id}',
      summary: 'Make',
      tag: 'things',
      demand: null,
      params: z.strictObject({ id: z.string().regex(/^thing_\d$/) }),
      query: z.strictObject({ ...PAGE_QUERY, deep: z.stringbool().optional() }),
      body: z.strictObject({ name: z.string().max(5), count: z.int().min(1).default(1) }),
      answers: { 201: z.strictObject({ data: z.string() }), 204: null },
      idempotent: 'answer',
      handle: () => ({ status: 204 }),
    });
    const given = { version: '1', securitySchemes: {}, securityOf: () => [{}], scopeOf: () => null };
    const made = openApiDocument([route], given) as unknown as Document;
    const operation = made.paths['/api/v1/things/{id}']?.['post'];
    const parameter = (name: string) => operation?.parameters?.find((one) => one.name === name);
    expect(parameter('id')).toMatchObject({
      in: 'path',
      required: true,
      schema: { pattern: String.raw`^thing_\d$` },
    });
    expect(parameter('limit')).toMatchObject({
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 25 },
    });
    expect(parameter('Idempotency-Key')).toMatchObject({ in: 'header', required: false });
    expect(operation?.requestBody).toMatchObject({
      required: true,
      content: {
        'application/json': {
          schema: {
            additionalProperties: false,
            required: ['name'],
            properties: { name: { maxLength: 5 }, count: { type: 'integer', minimum: 1, default: 1 } },
          },
        },
      },
    });
    expect(Object.keys(operation?.responses ?? {})).toEqual(['201', '204', 'default']);
  });
});
