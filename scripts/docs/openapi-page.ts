import { scopeOf, SECURITY_SCHEMES, securityOf } from '../../src/access/index.ts';
import { allRoutes } from '../../src/daemon/all-routes.ts';
import { VERSION } from '../../src/daemon/status.ts';
import { openApiDocument } from '../../src/http/openapi.ts';

/** docs/openapi.json: the OpenAPI 3.1 document, as an appliance of this version serves it. */
export function openApiPage(): string {
  // Rows are only looked at: their handlers, which alone use what a daemon would give them, are never run.
  const routes = allRoutes({} as never, {} as never, {} as never);
  const given = { version: VERSION, securitySchemes: SECURITY_SCHEMES, securityOf, scopeOf };
  return `${JSON.stringify(openApiDocument(routes, given), null, 2)}\n`;
}
