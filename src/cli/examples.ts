/** One line that shows a command of a resource in use, by `<resource> <action>`; ids are cut short. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  'product create': 'mintmark product create --name Editor --code editor --key-prefix EDIT',
  'product update': 'mintmark product update prod_01… --description "Text editor"',
  'product set-key': 'mintmark product set-key prod_01… kM3q… --i-have-shipped-the-new-key',
  'policy create': 'mintmark policy create --product-id prod_01… --name Desktop --template desktop_app',
  'policy update': 'mintmark policy update pol_01… --max-machines 5 --grace-days 7',
  'policy entitle': 'mintmark policy entitle pol_01… ent_01…',
  'entitlement create': 'mintmark entitlement create --code export-pdf --name "PDF export"',
  'license create':
    'mintmark license create --product-id prod_01… --policy-id pol_01… --name "Jane Doe" --secret-out key.txt',
  'license list': 'mintmark license list --status active --expires-before 2027-01-01T00:00:00.000Z',
  'license update': 'mintmark license update lic_01… --max-machines 5',
  'license suspend': 'mintmark license suspend lic_01… --reason "invoice 2041 is open"',
  'license renew': 'mintmark license renew lic_01… --days 365',
  'license transfer': 'mintmark license transfer lic_01… --policy-id pol_02… --keep-expiry false',
  'license revoke': 'mintmark license revoke lic_01… --reason "refunded"',
  'license reveal': 'mintmark license reveal lic_01… --secret-out key.txt',
  'license entitle': 'mintmark license entitle lic_01… ent_01… --expires-at 2027-01-01T00:00:00.000Z',
  'machine list': 'mintmark machine list --license-id lic_01…',
  'machine update': 'mintmark machine update mach_01… --name "press 3"',
  'api-key rotate': 'mintmark api-key rotate key_01… --overlap-hours 24 --secret-out shop-new.key',
  'tenant create': 'mintmark tenant create --name "Globex" --code globex',
  'tenant update': 'mintmark tenant update ten_01… --status suspended',
};

/** What the arguments of resources are; the id of the resource itself is said with its name. */
export const ARGUMENTS: Readonly<Record<string, string>> = {
  kid: 'name of the key: `mintmark keys list` shows it',
  entitlementId: 'id of the entitlement: `mintmark entitlement list` shows it',
  licenseId: 'id of the licence: `mintmark license list` shows it',
};

/** What a resource is called in prose, where that is not its name. */
export const NOUNS: Readonly<Record<string, string>> = { license: 'licence', 'api-key': 'API key' };
