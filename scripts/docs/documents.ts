import { exampleConfig } from '../../src/config/index.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage } from './errors-page.ts';
import { eventsPage } from './events-page.ts';
import { openApiPage } from './openapi-page.ts';
import { routesPage } from './routes-page.ts';
import { scopesPage } from './scopes-page.ts';
import { statesPage } from './states-page.ts';

/** A page written from a table of the program, so that it cannot say anything else. */
export interface GeneratedPage {
  /** Where it is, relative to the root. */
  readonly path: string;
  /** Its whole text, the same each time. */
  readonly render: () => string;
}

/**
 * Every generated page. A new one is a row here and a renderer beside this file; `npm run docs:generate` writes it and
 * test/architecture/docs.test.ts refuses a copy that is out of date.
 */
export const GENERATED_PAGES: readonly GeneratedPage[] = [
  { path: 'config/mintmark.toml', render: exampleConfig },
  { path: 'docs/configuration.md', render: configurationPage },
  { path: 'docs/errors.md', render: errorsPage },
  { path: 'docs/events.md', render: eventsPage },
  { path: 'docs/openapi.json', render: openApiPage },
  { path: 'docs/routes.md', render: routesPage },
  { path: 'docs/scopes.md', render: scopesPage },
  { path: 'docs/states.md', render: statesPage },
];
