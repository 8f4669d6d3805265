import { type Activity, STATES } from '../../src/states.ts';
import { page, table } from './markdown.ts';

/** The columns, in the words of people. */
const ACTIVITIES: Readonly<Record<Activity, string>> = {
  read: 'read, trust bundle',
  validate: 'validate',
  heartbeat: 'heartbeat, deactivate',
  revoke: 'revoke, suspend',
  create: 'create, change, activate',
  issue: 'issue files',
  jobs: 'timed jobs',
  retention: 'retention',
};

/** docs/states.md: what the appliance still does in each state. */
export function statesPage(): string {
  const activities = Object.keys(ACTIVITIES) as Activity[]; // the record above has every activity and no other
  const rows = Object.entries(STATES).map(([state, rules]) => [
    `\`${state}\``,
    ...activities.map((activity) => words(rules[activity])),
  ]);
  return page('States', '`src/states.ts`', [
    'An appliance is `ready`, or one or several of these states hold. They never hide each other: `mintmark status`, `/ready`\n' +
      'and the metrics list all that hold, and for each column the strictest decides. A cell with a code is refused with 503 and\n' +
      'that code; jobs that are refused wait. [Operations](operations.md) says what each state means and how it ends.',
    table(['state', ...Object.values(ACTIVITIES)], [['`ready`', ...activities.map(() => 'yes')], ...rows]),
  ]);
}

function words(rule: string): string {
  return rule === 'yes' || rule === 'no' ? rule : `\`${rule}\``;
}
