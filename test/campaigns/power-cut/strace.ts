import { existsSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

/** What a recorded program did to a disk, or told somebody, in the order in which it happened. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly path: string; readonly offset: number | null; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  /** A file that is made if it is not there. */
  | { readonly kind: 'open'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }
  /** The program asked for a file or directory to be made durable; `sync-end` with the same number: it is. */
  | { readonly kind: 'sync-begin'; readonly path: string; readonly number: number }
  | { readonly kind: 'sync-end'; readonly path: string; readonly number: number }
  /** Bytes to a socket: from here on somebody may know them. */
  | { readonly kind: 'sent'; readonly text: string };

/** Everything that changes a file or a directory on Linux, or makes it durable, and what may be an answer. */
const CALLS = [
  ...['pwrite64', 'pwritev', 'pwritev2', 'write', 'writev', 'sendto', 'sendmsg'],
  ...['fsync', 'fdatasync', 'sync_file_range', 'msync', 'sync', 'syncfs'],
  ...['ftruncate', 'truncate', 'fallocate', 'copy_file_range', 'sendfile'],
  ...['open', 'openat', 'openat2', 'creat', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2'],
  ...['link', 'linkat', 'symlink', 'symlinkat', 'mkdir', 'mkdirat', 'rmdir', 'io_uring_enter'],
];

/** Why nothing can be recorded here; undefined: it can. */
export function noStrace(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  const { status, error } = spawnSync('strace', ['-o', '/dev/null', 'true']);
  if (error !== undefined) return 'strace is not installed';
  return status === 0 ? undefined : 'strace may not trace here';
}

/**
 * The program that records what follows it on the command line, into `file`. The recorder is a grandchild: signals and
 * exit codes are the recorded program's own.
 */
export function straceTo(file: string): string[] {
  const calls = `trace=${CALLS.map((call) => `?${call}`).join(',')}`;
  return ['strace', '-D', '-f', '--seccomp-bpf', '-y', '-xx', '-s', '4194304', '-o', file, '-e', calls, '--'];
}

/** Resolves when the recorder has written down the end of process `pid`. */
export async function recorded(file: string, pid: number): Promise<void> {
  const end = new RegExp(`^${String(pid)} +\\+\\+\\+ (exited|killed)`, 'm');
  while (!existsSync(file) || !end.test(readFileSync(file, 'latin1').slice(-20_000)))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

interface Call {
  readonly name: string;
  /** Everything between the brackets, as strace wrote it. */
  text: string;
  readonly begun: number;
  ended: number;
  result: number;
}

/**
 * Reads a recording. Paths are those below `root`; everything else is left out, but for what went to sockets. `run/`
 * holds nothing that a start looks at.
 * @throws Error when the program used a call that this reader does not understand on a file below `root`
 */
export function readRecording(file: string, root: string): DiskEvent[] {
  const placed: { readonly at: number; readonly event: DiskEvent }[] = [];
  for (const call of callsOf(readFileSync(file, 'latin1'))) {
    if (call.result < 0) continue;
    const event = eventOf(call, root);
    if (event === undefined) continue;
    placed.push({ at: call.begun, event });
    if (event.kind === 'sync-begin') placed.push({ at: call.ended, event: { ...event, kind: 'sync-end' } });
  }
  return placed.sort((a, b) => a.at - b.at).map(({ event }) => event);
}

const LINE = /^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$/;
const RESULT = /\) += (-?\d+)(?:<[^>]*>)?(?: .*)?$/;
const UNFINISHED = / <unfinished \.\.\.>$/;

/** Calls of threads overlap: one is cut in two lines when another comes between. */
function callsOf(text: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, Call>();
  for (const [number, line] of text.split('\n').entries()) {
    const [, thread = '', resumed, name = '', rest = ''] = LINE.exec(line) ?? [];
    const call = resumed === undefined ? begun(name, number) : open.get(thread);
    if (call === undefined || thread === '') continue;
    if (resumed === undefined) calls.push(call);
    call.text += rest.replace(UNFINISHED, '');
    if (UNFINISHED.test(rest)) open.set(thread, call);
    else {
      open.delete(thread);
      call.ended = number;
      call.result = Number(RESULT.exec(call.text)?.[1] ?? -1);
    }
  }
  return calls;
}

const begun = (name: string, number: number): Call => ({
  name,
  text: '',
  begun: number,
  ended: number,
  result: -1,
});

/** The strings of a call, in order; strace writes every byte as `\xNN`. */
function strings(text: string): Buffer[] {
  return [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) => bytesOf(hex));
}

const bytesOf = (escaped: string): Buffer => Buffer.from(escaped.replaceAll('\\x', ''), 'hex');

/** What the descriptor in front stands for: a path, or something like `socket:[1]`. */
function descriptor(text: string): string {
  return bytesOf(/^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(text)?.[1] ?? '').toString();
}

function eventOf(call: Call, root: string): DiskEvent | undefined {
  const { name, text } = call;
  // What a file is copied from comes first.
  const target = descriptor(name === 'copy_file_range' ? text.replace(/^[^,]*, [^,]*, /, '') : text);
  const inside = (path: string): boolean =>
    (path === root || path.startsWith(`${root}/`)) && !path.startsWith(`${root}/run/`);
  if (inside(target)) return fileEvent(call, target);
  if (/^(write|writev|sendto|sendmsg)$/.test(name) && target.startsWith('socket:'))
    return { kind: 'sent', text: Buffer.concat(strings(text)).toString('latin1') };
  const [first = '', second = ''] = strings(text).map(String);
  if (!inside(first) && !inside(second)) return undefined;
  if (/^(open|openat|creat)$/.test(name)) return openEvent(text, first);
  if (/^unlink(at)?$/.test(name)) return { kind: 'unlink', path: first };
  if (/^rename(at2?)?$/.test(name)) return { kind: 'rename', path: first, to: second };
  if (/^(mkdir|mkdirat)$/.test(name)) return undefined;
  throw new Error(`nobody knows what ${name} does to ${first}`);
}

function openEvent(text: string, path: string): DiskEvent | undefined {
  if (text.includes('O_TRUNC')) return { kind: 'truncate', path, size: 0 };
  return text.includes('O_CREAT') ? { kind: 'open', path } : undefined;
}

function fileEvent({ name, text, begun: number, result }: Call, path: string): DiskEvent {
  if (/^f(data)?sync$/.test(name)) return { kind: 'sync-begin', path, number };
  if (name === 'ftruncate') return { kind: 'truncate', path, size: lastNumber(text) };
  const bytes = Buffer.concat(strings(text)).subarray(0, result);
  // Files of ours that are not a database are written once, from their beginning to their end.
  if (/^writev?$/.test(name)) return { kind: 'write', path, offset: null, bytes };
  if (name === 'pwrite64') return { kind: 'write', path, offset: lastNumber(text), bytes };
  throw new Error(`nobody knows what ${name} does to ${path}`);
}

/** The last argument of a call. */
function lastNumber(text: string): number {
  return Number(/, (\d+)\) += /.exec(text)?.[1]);
}
