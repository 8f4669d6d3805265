import type { Command } from 'commander';
import { column, type WithClient } from './resource.ts';
import { details, table } from './terminal.ts';

type Figures = Readonly<Record<string, number>>;

/** What the route answers, as far as it is laid out here. */
interface Analytics {
  readonly licenses: { readonly total: number; readonly byStatus: Figures };
  readonly machines: Figures;
  readonly activations: readonly { readonly date: string; readonly count: number }[];
  readonly validations: { readonly total: number; readonly byCode: Figures };
  readonly files: Figures;
  readonly seats: readonly Readonly<Record<string, unknown>>[];
}

/** Adds `analytics`: the figures of a tenant's environment on one screen. */
export function addAnalytics(program: Command, withClient: WithClient): void {
  const command = program
    .command('analytics')
    .description('figures: licences, machines, activations, validations, files, seats');
  command.action(async () => {
    await withClient(command, async ({ client, out }) => {
      const data = (await client.data({ method: 'GET', path: '/analytics' })) as Analytics; // the route's answer
      out.result({ data }, () => describe(data));
    });
  });
}

function describe({ licenses, machines, activations, validations, files, seats }: Analytics): string {
  const days = Object.fromEntries(
    activations.filter(({ count }) => count > 0).map(({ date, count }) => [date, count]),
  );
  const codes = Object.entries(validations.byCode).filter(([, count]) => count > 0);
  return [
    section('licences', { total: licenses.total, ...licenses.byStatus }),
    section('machines', machines),
    section('activations in 30 days', { total: sum(Object.values(days)), ...days }),
    section('validations in 30 days', { total: validations.total, ...Object.fromEntries(codes) }),
    section('files', files),
    `seats in use\n${indented(table([column('PRODUCT', 'productCode'), column('USED', 'used')], seats))}`,
  ].join('\n');
}

function section(title: string, figures: Figures): string {
  return `${title}\n${indented(details(figures))}`;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
const indented = (text: string): string => text.replaceAll(/^/gm, '  ');
