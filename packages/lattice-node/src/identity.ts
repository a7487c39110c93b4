/**
 * A node's identity: one Ed25519 seed in a file that only its owner reads.
 *
 * Who holds the seed is the node, so it is refused when others could have read it, and never made anew where a node has
 * lived already: a silent new identity would lock the user out of every store. It is created whole or not at all.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { platform } from 'node:os'
import { type Crypto, type KeyPair, type Random, SEED_BYTES, toSeed } from '@lattice/model'
import { writeFileAtomic } from './atomic-file.ts'
import { identityDamaged, identityExposed, identityMissing, identityUnreadable } from './errors.ts'

const OWNER_ONLY = 0o600
/** Permissions of anyone but the owner. */
const OTHERS = 0o077

/** What {@link loadIdentity} is given. */
export interface LoadIdentityOptions {
  readonly path: string
  /** True where a node has lived: then a missing key is a loss, not a beginning. */
  readonly mustExist: boolean
  readonly crypto: Crypto
  readonly random: Random
}

/** Reads the node's key pair; makes one first in a directory that never had any. */
export function loadIdentity({ path, mustExist, crypto, random }: LoadIdentityOptions): KeyPair {
  const stored = readSeed(path)
  if (stored !== undefined) return crypto.keyPairFromSeed(toSeed(stored))
  if (mustExist) {
    throw identityMissing(path)
  }
  const seed = random.bytes(SEED_BYTES)
  writeFileAtomic(path, [seed], OWNER_ONLY)
  return crypto.keyPairFromSeed(toSeed(seed))
}

/** The seed, or undefined when there is no file. */
function readSeed(path: string): Uint8Array | undefined {
  const file = openForReading(path)
  if (file === undefined) return undefined
  try {
    const stats = fstatSync(file)
    checkStats(path, stats)
    const seed = new Uint8Array(SEED_BYTES)
    const read = readSync(file, seed, 0, SEED_BYTES, 0)
    if (read !== SEED_BYTES) throw identityDamaged(path, read)
    return seed
  } finally {
    closeSync(file)
  }
}

function openForReading(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw identityUnreadable(path, 'give this user the right to read it', error)
  }
}

function checkStats(path: string, stats: Stats): void {
  if (!stats.isFile()) throw identityUnreadable(path, 'it is not a file: move it away')
  const mode = stats.mode & 0o777
  // On Windows the mode says nothing: access is by the profile directory's control list.
  if ((mode & OTHERS) !== 0 && platform() !== 'win32') throw identityExposed(path, mode)
  if (stats.size !== SEED_BYTES) throw identityDamaged(path, stats.size)
}

/** The system's code of a failed call, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
