import { column, type FieldOption, type Resource, standardActions } from './resource.ts';

const SETTINGS: FieldOption[] = [
  { flags: '--name <name>', field: 'name', help: 'name for people' },
  {
    flags: '--max-machines <n|none>',
    field: 'maxMachines',
    help: 'seats; none needs --allow-unlimited',
    kind: 'no-limit',
  },
  {
    flags: '--allow-unlimited',
    field: 'allowUnlimitedActivations',
    help: 'say that no limit of machines is meant',
    kind: 'boolean',
  },
  { flags: '--max-uses <n|none>', field: 'maxUses', help: 'successful validations', kind: 'no-limit' },
  {
    flags: '--duration-days <n|none>',
    field: 'durationDays',
    help: 'days until expiry; none is perpetual',
    kind: 'no-limit',
  },
  {
    flags: '--expiration-strategy <name>',
    field: 'expirationStrategy',
    help: 'RESTRICT_ACCESS, ALLOW_ACCESS or REVOKE',
  },
  {
    flags: '--expiration-basis <name>',
    field: 'expirationBasis',
    help: 'what begins the term: FROM_CREATION, FROM_FIRST_ACTIVATION or FROM_FIRST_VALIDATION',
  },
  {
    flags: '--renewal-basis <name>',
    field: 'renewalBasis',
    help: 'what a renewal counts from: FROM_EXPIRY, FROM_NOW or FROM_NOW_IF_EXPIRED',
  },
  {
    flags: '--grace-days <n>',
    field: 'graceDays',
    help: 'days after expiry in which a licence is still valid',
    kind: 'number',
  },
  {
    flags: '--trial <true|false>',
    field: 'isTrial',
    help: 'whether its licences are for trying out',
    kind: 'boolean',
  },
  {
    flags: '--trial-duration-days <n|none>',
    field: 'trialDurationDays',
    help: 'days of a trial; none is as --duration-days says',
    kind: 'no-limit',
  },
  {
    flags: '--enforcement <name>',
    field: 'enforcement',
    help: 'advice to the application about an invalid licence: BLOCK, DEGRADE or LOG_ONLY',
  },
  {
    flags: '--overridable <true|false>',
    field: 'overridable',
    help: 'whether a licence may have limits of its own',
    kind: 'boolean',
  },
  {
    flags: '--allow-machine-transfer <true|false>',
    field: 'allowMachineTransfer',
    help: 'whether a seat may move to another machine although it is not floating',
    kind: 'boolean',
  },
  {
    flags: '--holder-may-deactivate <true|false>',
    field: 'licenseHolderMayDeactivate',
    help: 'whether the licence key alone may remove a machine (default: as --floating)',
    kind: 'boolean',
  },
  {
    flags: '--revocation-max-age-days <n|none>',
    field: 'revocationMaxAgeDays',
    help: 'a file refuses itself when the newest revocation list it sees is older',
    kind: 'no-limit',
  },
  {
    flags: '--floating <true|false>',
    field: 'floating',
    help: 'whether the seat of a removed machine is free at once',
    kind: 'boolean',
  },
  {
    flags: '--require-fingerprint <true|false>',
    field: 'requireFingerprint',
    help: 'whether every validation and file must name its machine; false allows a file bound to none',
    kind: 'boolean',
  },
  {
    flags: '--require-heartbeat <true|false>',
    field: 'requireHeartbeat',
    help: 'whether machines must say that they are alive',
    kind: 'boolean',
  },
  {
    flags: '--heartbeat-interval <minutes>',
    field: 'heartbeatIntervalMinutes',
    help: 'minutes between heartbeats',
    kind: 'number',
  },
  {
    flags: '--heartbeat-cull-strategy <name>',
    field: 'heartbeatCullStrategy',
    help: 'what becomes of the dead: DEACTIVATE_DEAD or KEEP_DEAD',
  },
  {
    flags: '--fingerprint-matching <name>',
    field: 'fingerprintMatching',
    help: 'how much hardware may change: MATCH_ALL, MATCH_MOST, MATCH_TWO or MATCH_ANY',
  },
  {
    flags: '--fingerprint-uniqueness <name>',
    field: 'fingerprintUniqueness',
    help: 'where a machine may be active once: PER_LICENSE, PER_POLICY, PER_PRODUCT or PER_REALM',
  },
  {
    flags: '--max-unique-fingerprints <n|none>',
    field: 'maxUniqueFingerprints',
    help: 'different machines over the life of a licence',
    kind: 'no-limit',
  },
  {
    flags: '--machine-leasing <name>',
    field: 'machineLeasing',
    help: 'what seats are counted per: PER_LICENSE or PER_USER',
  },
  {
    flags: '--overage-strategy <name>',
    field: 'overageStrategy',
    help: 'seats beyond the limit: NO_OVERAGE, ALLOW_1_25X, ALLOW_1_5X, ALLOW_2X or ALWAYS_ALLOW',
  },
  {
    flags: '--offline-allowed <true|false>',
    field: 'offlineAllowed',
    help: 'whether files are issued for offline use',
    kind: 'boolean',
  },
  {
    flags: '--offline-max-days <n>',
    field: 'offlineMaxDays',
    help: 'longest life of a licence file',
    kind: 'number',
  },
  { flags: '--metadata <json>', field: 'metadata', help: 'object of your own', kind: 'json' },
];

/** `mintmark policy …` */
export const policyResource: Resource = {
  name: 'policy',
  help: 'the rules that licences follow',
  actions: [
    ...standardActions('/policies', {
      noun: 'policy',
      sorts: ['-createdAt', 'createdAt'],
      restorable: [],
      columns: [
        column('ID', 'id'),
        column('CODE', 'code'),
        column('NAME', 'name'),
        column('PRODUCT', 'productId'),
        column('SEATS', 'maxMachines'),
      ],
      create: [
        { flags: '--product-id <id>', field: 'productId', help: 'the product it belongs to', required: true },
        {
          flags: '--template <name>',
          field: 'template',
          help: 'desktop_app, cli_tool, saas, trial or custom',
        },
        {
          flags: '--code <code>',
          field: 'code',
          help: 'how files and signed keys name it, fixed; default: made of template and id',
        },
        ...SETTINGS,
      ],
      filters: [{ flags: '--product-id <id>', field: 'productId', help: 'only those of this product' }],
    }),
    {
      name: 'update',
      help: 'change a policy',
      args: ['id'],
      method: 'PATCH',
      path: '/policies/{id}',
      options: SETTINGS,
    },
    {
      name: 'delete',
      help: 'delete a policy without licences',
      args: ['id'],
      method: 'DELETE',
      path: '/policies/{id}',
    },
    {
      name: 'entitle',
      help: 'give an entitlement to every licence of a policy',
      args: ['id', 'entitlementId'],
      method: 'PUT',
      path: '/policies/{id}/entitlements/{entitlementId}',
    },
    {
      name: 'disentitle',
      help: 'take an entitlement from a policy',
      args: ['id', 'entitlementId'],
      method: 'DELETE',
      path: '/policies/{id}/entitlements/{entitlementId}',
    },
  ],
};
