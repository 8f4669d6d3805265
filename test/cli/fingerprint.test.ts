import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { fingerprintOf, type MachineComponent, readComponents } from '../../src/cli/fingerprint.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { jsonOf, mintmark } from './run-cli.ts';

const WHOLE = {
  'etc/machine-id': '4c4c4544004d3510805ac4c04f595831\n',
  'sys/class/dmi/id/product_uuid': '4c4c4544-004d-3510-805a-c4c04f595831\n',
  'sys/class/dmi/id/board_serial': 'BSN12345678\n',
  'sys/block/sda/device/wwid': 'naa.5002538e40a1b2c3\n',
  'sys/class/net/eno1/address': '3c:ec:ef:12:34:56\n',
  'sys/class/net/eno1/device/vendor': '0x8086\n',
};

/** What a machine with these files is known by. */
function components(files: Readonly<Record<string, string>>): MachineComponent[] {
  using root = temporaryDirectory();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root.path, path)), { recursive: true });
    writeFileSync(join(root.path, path), text);
  }
  return readComponents(root.path);
}

const values = (files: Readonly<Record<string, string>>): Record<string, string | null> =>
  Object.fromEntries(components(files).map(({ name, value }) => [name, value]));

describe('the components of a machine', () => {
  it('are read from where Linux keeps them', () => {
    expect(values(WHOLE)).toEqual({
      'machine-id': '4c4c4544004d3510805ac4c04f595831',
      'product-uuid': '4c4c4544-004d-3510-805a-c4c04f595831',
      board: 'BSN12345678',
      disk: 'naa.5002538e40a1b2c3',
      mac: '3c:ec:ef:12:34:56',
    });
  });

  it('are missing where there is nothing, and nothing falls over', () => {
    expect(Object.values(values({}))).toEqual([null, null, null, null, null]);
  });

  it.each(['To be filled by O.E.M.', 'Default string', '00000000', 'None', 'Not Specified', ''])(
    'are missing where the manufacturer wrote %j',
    (filler) => {
      expect(values({ ...WHOLE, 'sys/class/dmi/id/board_serial': `${filler}\n` })['board']).toBeNull();
    },
  );

  it('leave out network cards that software made up, and take the same one whatever the order', () => {
    const cards = {
      'etc/machine-id': 'id\n',
      'sys/class/net/docker0/address': '02:42:00:00:00:01\n',
      'sys/class/net/lo/address': '00:00:00:00:00:00\n',
      'sys/class/net/wlan0/address': '9c:00:00:00:00:09\n',
      'sys/class/net/wlan0/device/vendor': 'x\n',
      'sys/class/net/zeth/address': '3c:00:00:00:00:03\n',
      'sys/class/net/zeth/device/vendor': 'x\n',
    };
    expect(values(cards)['mac']).toBe('3c:00:00:00:00:03');
  });

  it('leave out disks that are no hardware', () => {
    expect(
      values({ 'sys/block/loop0/serial': 'LOOP\n', 'sys/block/nvme0n1/wwid': 'eui.0025\n' })['disk'],
    ).toBe('eui.0025');
  });
});

describe('the fingerprint', () => {
  it('is the published digest of what every user can read', () => {
    expect(fingerprintOf(components(WHOLE))).toMatch(/^mm1-[0-9A-HJKMNP-TV-Z]{32}$/);
    const asUser = { ...WHOLE, 'sys/class/dmi/id/product_uuid': '', 'sys/class/dmi/id/board_serial': '' };
    expect(fingerprintOf(components(asUser))).toBe(fingerprintOf(components(WHOLE)));
  });

  it.each(['etc/machine-id', 'sys/block/sda/device/wwid', 'sys/class/net/eno1/address'])(
    'changes with %s',
    (path) => {
      const other = fingerprintOf(components({ ...WHOLE, [path]: 'another\n' }));
      expect(other).not.toBe(fingerprintOf(components(WHOLE)));
    },
  );

  it('is none where nothing tells the machine from others', () => {
    expect(fingerprintOf(components({}))).toBeNull();
  });
});

describe('mintmark fingerprint', () => {
  it('prints the same fingerprint alone, with its components, and for programs', async () => {
    const json = await mintmark(['fingerprint', '--json']);
    const { fingerprint, components: named, missing } = jsonOf(json);
    expect(json.code).toBe(EXIT.ok);
    expect(fingerprint).toBe(fingerprintOf(readComponents()));
    const absent = readComponents().filter(({ value }) => value === null);
    expect(missing).toEqual(absent.map(({ name }) => name));
    expect(Object.keys(named as object)).toEqual(readComponents().map(({ name }) => name));
    const plain = await mintmark(['fingerprint', '--plain']);
    expect(plain.stdout).toBe(`${fingerprintOf(readComponents()) ?? ''}\n`);
  });
});
