import { join } from 'node:path';
import { expect } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';
import { type RunningDaemon, startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { type Story, storyOn } from '../story.ts';

/** A development appliance, its local operator at the command line, and a directory for his files. */
export interface ResourceDesk {
  readonly daemon: RunningDaemon;
  readonly story: Story;
  /** Path of a file. */
  readonly at: (name: string) => string;
  /** Ids of what there is from the beginning: the product `editor`, its policy `Desktop` (2 seats), an entitlement. */
  readonly stock: { readonly product: string; readonly policy: string; readonly entitlement: string };
  /** Creates a licence under them. */
  readonly createLicense: (...options: readonly string[]) => Promise<Record<string, unknown>>;
  /** Expects that the stories told so far have used every command of these groups. */
  readonly expectAllTold: (...groups: readonly string[]) => void;
  readonly close: () => Promise<void>;
}

/** Opens a desk on an appliance of its own. */
export async function openResourceDesk(): Promise<ResourceDesk> {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const daemon = await startDaemon(at('appliance'));
  const story = storyOn(join(daemon.dir, 'data'));
  const stock = await stockUp(story);
  const ids = ['--product-id', stock.product, '--policy-id', stock.policy];
  return {
    ...{ daemon, story, at, stock },
    createLicense: (...options) => story.data(['license', 'create', ...ids, ...options, '--print-secret']),
    expectAllTold: (...groups) => {
      const commands = COMMANDS.filter((name) => groups.includes(groupOf(name)));
      expect(commands.length).toBeGreaterThan(groups.length * 4);
      expect(commands.filter((name) => !story.told.has(name))).toEqual([]);
    },
    close: async () => {
      story[Symbol.dispose]();
      await daemon.stop();
      directory[Symbol.dispose]();
    },
  };
}

async function stockUp(story: Story): Promise<ResourceDesk['stock']> {
  const made = async (...args: readonly string[]): Promise<string> => String((await story.data(args))['id']);
  const editor = ['--name', 'Editor', '--code', 'editor', '--key-prefix', 'EDIT', '--metadata', '{"line":3}'];
  const product = await made('product', 'create', ...editor);
  const desktop = ['--name', 'Desktop', '--template', 'desktop_app', '--floating', 'true'];
  const policy = await made('policy', 'create', '--product-id', product, ...desktop);
  const entitlement = await made('entitlement', 'create', '--code', 'export-pdf', '--name', 'PDF');
  return { product, policy, entitlement };
}

const COMMANDS: readonly string[] = buildProgram(() => undefined).commands.flatMap((group) =>
  group.commands.map((leaf) => `${group.name()} ${leaf.name()}`),
);

/** Commands of files are told together, whatever the files are of. */
const OF_FILES = /^\w+ (?:checkout|signed-key|files|import|export)$/u;

function groupOf(name: string): string {
  const [resource = ''] = name.split(' ');
  return OF_FILES.test(name) && ['license', 'machine'].includes(resource) ? 'files' : resource;
}
