// The floor: a bare program that does only what cannot be avoided, with the same libraries. It reads and parses the body,
// looks the row up, signs and verifies, encrypts, seals, and inserts the same number of rows by raw prepared statements in
// group commit.
import Koa from 'koa';
import { FloorStore } from './floor-store.ts';
import { floorHandlers } from './floor-work.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('usage: floor-server.ts <directory>');

const handlers = floorHandlers(new FloorStore(directory));
const app = new Koa();
app.use(async (ctx) => {
  const chunks: Buffer[] = [];
  for await (const chunk of ctx.req) chunks.push(chunk as Buffer); // a request stream without encoding yields buffers
  const handler = handlers[ctx.path];
  if (handler === undefined) return;
  const raw = Buffer.concat(chunks);
  const body = JSON.parse(raw.toString('utf8')) as Record<string, string>; // the benchmark's own requests
  ctx.body = await handler({ body, raw });
});
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) {
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${String(address.port)}` })}\n`);
  }
});
process.on('SIGTERM', () => {
  process.exit(0);
});
