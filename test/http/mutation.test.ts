import { describe, expect, it } from 'vitest';
import { mutationCampaign } from '../support/mutation-campaign.ts';
import { startDaemon, temporaryDirectory } from '../support/daemon.ts';

/** Enough to meet every operation a few times; `MINTMARK_MUTATIONS=100000` asks for a whole campaign. */
const COUNT = Number(process.env['MINTMARK_MUTATIONS'] ?? 1500);
/** Chosen anew by whoever looks for more; a finding is repeated with the seed it names. */
const SEED = Number(process.env['MINTMARK_SEED'] ?? 20_260_601);

describe('hostile requests', () => {
  it(`never get a server error, and never see our insides (${COUNT} requests, seed ${SEED})`, async () => {
    using directory = temporaryDirectory();
    const daemon = await startDaemon(directory.path);
    try {
      const document = await (await fetch(`${daemon.url}/api/v1/openapi.json`)).json();
      const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
      const report = await mutationCampaign(
        {
          baseUrl: daemon.url,
          openapi: document,
          credentials: [
            bearer(daemon.live.secretKey),
            bearer(daemon.live.secretKey),
            bearer(daemon.test.secretKey),
            { 'x-publishable-key': daemon.live.publishableKey },
            { authorization: 'License ACME-1111-2222-3333-4444' },
            {},
          ],
        },
        { count: COUNT, seed: SEED },
      );
      expect(report.findings).toEqual([]);
      expect(report.sent).toBe(COUNT);
      // A campaign that is refused at the door finds nothing.
      const accepted =
        (report.byStatus['200'] ?? 0) + (report.byStatus['201'] ?? 0) + (report.byStatus['204'] ?? 0);
      expect(accepted).toBeGreaterThan(COUNT / 50);
      expect((await fetch(`${daemon.url}/health`)).status).toBe(200);
    } finally {
      await daemon.stop();
    }
  });
});
