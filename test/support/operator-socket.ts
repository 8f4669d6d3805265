import { join } from 'node:path';
import { Client } from 'undici';
import { answered, type OneRequest } from './clients.ts';
import type { Answered } from './daemon.ts';

/** Sends one request to the operator's socket of the appliance whose data lies in `data`, as the local administrator. */
export async function sendAsOperator(data: string, request: OneRequest): Promise<Answered> {
  const client = new Client('http://localhost', { socketPath: join(data, 'run', 'operator.sock') });
  try {
    const answer = await client.request({
      method: request.method,
      path: `/api/v1${request.path}`,
      headers: {
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      body: request.body === undefined ? null : JSON.stringify(request.body),
    });
    return answered(answer.statusCode, answer.headers, await answer.body.text());
  } finally {
    await client.close();
  }
}
