import { request as httpRequest } from 'node:http';
import { type Answered, answered } from './appliance.ts';

/** Sends one JSON request over a Unix socket. */
export function askSocket(
  socketPath: string,
  request: {
    readonly method?: string;
    readonly path: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
  },
): Promise<Answered> {
  const { method = 'GET', path, body, headers } = request;
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        socketPath,
        method,
        path,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const pairs = Object.entries(response.headers).map(([name, value]): [string, string] => [
            name,
            String(value),
          ]);
          resolve(
            answered(response.statusCode ?? 0, new Headers(pairs), Buffer.concat(chunks).toString('utf8')),
          );
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
