/** Names inside an export. The tiles are beside them, in the layout of C2SP tlog-tiles. */
export const EXPORT_FILES = {
  /** One line per leaf, in order: the bytes of an entry, or a JSON string with the base64 of its hash. */
  entries: 'entries.jsonl',
  /** Signed checkpoints in order of size, an empty line after each. */
  checkpoints: 'checkpoints',
  /** One verifier key a line, the first ledger key first. */
  verifierKeys: 'verifier-keys',
  readme: 'README',
} as const;

/** What the README of an export says of it. */
export interface ExportDescription {
  readonly origin: string;
  readonly size: number;
  /** The realm it was made for; undefined: the whole appliance. */
  readonly realm: string | undefined;
}

/** The README of an export. */
export function exportReadme({ origin, size, realm }: ExportDescription): string {
  const whole = 'This export holds every entry in full.';
  const part = `This export holds the entries of ${realm ?? ''} in full; all others are shown as bare hashes, so that the same root can be computed without reading them.`;
  return `Ledger of ${origin}, ${String(size)} entries
${realm === undefined ? whole : part}

To verify, with neither daemon nor network:

  mintmark audit verify <this directory> --first-key <key>

The first key is the ledger key that \`mintmark init\` showed when the appliance was made; \`mintmark status\` shows it too. Do not
take it from verifier-keys: whoever made this directory could have written any key into it.

entries.jsonl   one line per leaf, from number 0 on. A line that begins with { is an entry: exactly these bytes, without
                the line feed, are the leaf (RFC 6962: SHA-256 of 0x00 and the bytes). A line that begins with " is the
                base64 of the hash of an entry that is not shown.
checkpoints     signed notes (C2SP signed-note and tlog-checkpoint, Ed25519), in order of size, an empty line after each.
verifier-keys   verifier keys (name+id+base64), in the order they were in force. Every key after the first is proven by an
                entry of the action ledger_key.changed and by a checkpoint that both keys have signed.
tile/           the hashes of the tree (C2SP tlog-tiles): with them any transparency-log tool can prove that an entry is
                in the log, and the verification can name the very entry that was altered.
`;
}
