import { Fault } from '../faults.ts';

/** How much of the branch an entity tag shows: enough to tell a restored appliance from the one before. */
const BRANCH_CHARACTERS = 8;
/** More tags than this in one `If-Match` is not a client that remembers what it read. */
const TAGS_LIMIT = 16;
const STRONG_TAG = /^"[\u0021\u0023-\u007e\u0080-\u00ff]*"$/;
const OURS = /^"([^".]{1,8})\.([1-9][0-9]{0,14})"$/;

/**
 * The entity tag of a row, quotes included: `"<branch, 8 characters>.<row version>"` (RFC 9110 §8.8.3). Never a digest
 * of the content: that would let a reader of masked fields test guesses.
 */
export function etagOf(branch: string, version: number): string {
  return `"${branch.slice(0, BRANCH_CHARACTERS)}.${version}"`;
}

/**
 * Compares `If-Match` with the present tag (RFC 9110 §13.1.1: strong comparison, `*` matches what exists). Without the
 * header nothing is compared.
 * @throws Fault PRECONDITION_FAILED when no tag matches; MALFORMED when the header is not a list of tags.
 */
export function requireMatch(ifMatch: string | undefined, etag: string): void {
  const tags = tagsIn(ifMatch);
  if (tags === null || tags.includes(etag)) return;
  throw stale(`the resource has the entity tag ${etag} now`);
}

/**
 * The row versions that `If-Match` accepts, for an operation that compares them inside its unit of work; null when any
 * version will do (no header, or `*`).
 * @throws Fault PRECONDITION_FAILED when no tag is of this branch; MALFORMED when the header is not a list of tags.
 */
export function versionsMatching(ifMatch: string | undefined, branch: string): readonly number[] | null {
  const tags = tagsIn(ifMatch);
  if (tags === null) return null;
  const versions = tags.flatMap((tag) => versionIn(tag, branch));
  if (versions.length === 0) throw stale('no entity tag in If-Match is one this appliance gives now');
  return versions;
}

function versionIn(tag: string, branch: string): number[] {
  const found = OURS.exec(tag);
  return found?.[1] === branch.slice(0, BRANCH_CHARACTERS) ? [Number(found[2])] : [];
}

/** The tags of the header; null when any will do. */
function tagsIn(ifMatch: string | undefined): string[] | null {
  if (ifMatch === undefined || ifMatch.trim() === '*') return null;
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  const weak = tags.filter((tag) => tag.startsWith('W/'));
  const strong = tags.filter((tag) => STRONG_TAG.test(tag));
  if (tags.length > TAGS_LIMIT || weak.length + strong.length !== tags.length) {
    throw new Fault(
      'MALFORMED',
      'the header If-Match is not a list of quoted entity tags; send the ETag as it was given',
    );
  }
  return strong;
}

function stale(message: string): Fault {
  return new Fault('PRECONDITION_FAILED', message);
}
