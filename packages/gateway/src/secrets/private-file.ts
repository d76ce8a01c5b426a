import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Windows has no permission bits to look at; its files are protected by the profile folder they lie in. */
const hasModes = process.platform !== 'win32';

const smallFile = 4096;

/**
 * Reads a file that holds a secret.
 *
 * @throws Error when it is missing, larger than 4 KiB, owned by somebody else than this process or root, or open to
 * group or others. The text names the path and the command that repairs it, never the content.
 */
export function readPrivateFile(path: string): Buffer {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    // Asked of the open file, not of the path: nobody can swap it between the check and the read.
    const stats = fstatSync(descriptor);
    refuseShared(path, stats);
    if (!stats.isFile()) throw new Error(`${path} is not a file`);
    if (stats.size > smallFile) throw new Error(`${path} is too large for a key file (${stats.size} bytes)`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Creates a 0600 file with this content, its folder with 0700 if need be, whole or not at all.
 *
 * @returns false when there is a file already, whoever made it; it is left as it is.
 */
export function createPrivateFile(path: string, content: Uint8Array): boolean {
  const draft = writeDraft(path, content);
  try {
    // A link fails if the name is taken, and readers never see half a file: of two creators one wins, both agree.
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

/** Writes a 0600 file, replacing what was there in one step; its folder is made with 0700 if need be. */
export function replacePrivateFile(path: string, content: Uint8Array): void {
  movePrivateFile(writeDraft(path, content), path);
}

/** Gives a file another name in the same folder, in one step that outlives the loss of power, replacing what had it. */
export function movePrivateFile(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
}

/** What was renamed is so for good once its folder is on the disk. */
function syncFolder(folder: string): void {
  if (!hasModes) return;
  const descriptor = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether an error of the operating system is this one (`ENOENT`, `EEXIST`, …). */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function writeDraft(path: string, content: Uint8Array): string {
  makePrivateFolder(dirname(path));
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return draft;
}

function makePrivateFolder(folder: string): void {
  // A folder that was there is its owner's business; only one made here is known to hold nothing but secrets.
  const firstMade = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (firstMade !== undefined && hasModes && (statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

function refuseShared(path: string, stats: Stats): void {
  if (!hasModes) return;
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw new Error(`${path} has mode ${mode}, so others can reach the secret in it; run: chmod 600 '${path}'`);
  }
  const user = process.getuid?.();
  if (user !== undefined && stats.uid !== user && stats.uid !== 0) {
    throw new Error(`${path} belongs to user ${stats.uid}, not to the user this runs as (${user})`);
  }
}
