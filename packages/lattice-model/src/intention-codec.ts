/**
 * The Borsh form of an intention: what is hashed and signed.
 *
 * There is exactly one encoding of each intention and exactly one intention of each encoding, so an id names one value and
 * nobody can make a second id for it. The decoder looks at every length before it uses it and allocates only views, so
 * hostile bytes cost no more than reading them.
 *
 * Layout (little-endian): version u8, author 32, wall u64, counter u32, store_prev 32, deps u32 count and 32 each, hints
 * u8, ops u32 length and bytes.
 *
 * @module
 */
import { assert } from './assert.ts'
import { isHlc } from './hlc.ts'
import { HASH_BYTES, type IntentionId, PUBLIC_KEY_BYTES, toHash, toIntentionId, toPublicKey, ZERO_HASH } from './ids.ts'
import { type Hints, type Intention, type IntentionError, isGenesis, NO_HINTS } from './intention.ts'
import { MAX_INTENTION_BYTES, MAX_KERNEL_CAUSAL_DEPS, MAX_OPS_BYTES, MAX_WALL_MS } from './limits.ts'
import { err, ok, type Result } from './result.ts'

/** The one version there is. */
export const INTENTION_VERSION = 1

const HINT_SUPERSEDES_ALL = 1
const HINT_EPHEMERAL = 2
const HINTS_KNOWN: number = HINT_SUPERSEDES_ALL | HINT_EPHEMERAL
const HINTS_OF_BYTE: readonly Hints[] = [
  NO_HINTS,
  { supersedesAll: true, ephemeral: false },
  { supersedesAll: false, ephemeral: true },
  { supersedesAll: true, ephemeral: true },
]

const AUTHOR_OFFSET = 1
const WALL_OFFSET: number = AUTHOR_OFFSET + PUBLIC_KEY_BYTES
const COUNTER_OFFSET: number = WALL_OFFSET + 8
const PREV_OFFSET: number = COUNTER_OFFSET + 4
const DEPS_OFFSET: number = PREV_OFFSET + HASH_BYTES
/** Everything but the deps and the ops. */
const FIXED_BYTES: number = DEPS_OFFSET + 4 + 1 + 4
const TWO_POW_32 = 2 ** 32
/** What the upper four bytes of a wall time say at most; more breaks `MAX_WALL_MS`. */
const MAX_WALL_HIGH: number = Math.floor(MAX_WALL_MS / TWO_POW_32)

/** Length of the encoded intention. */
export function encodedIntentionBytes(intention: Intention): number {
  return FIXED_BYTES + intention.causalDeps.length * HASH_BYTES + intention.ops.length
}

/** Encodes an intention. The caller has made a canonical one: anything else is a bug, and asserted. */
export function encodeIntention(intention: Intention): Uint8Array {
  const { author, timestamp, storePrev, causalDeps, hints, ops } = intention
  assert(author.length === PUBLIC_KEY_BYTES && storePrev.length === HASH_BYTES, 'keys and hashes have 32 bytes')
  assert(isHlc(timestamp), 'the timestamp is within range')
  assert(ops.length <= MAX_OPS_BYTES, 'the ops are within their limit')
  assert(causalDeps.length <= MAX_KERNEL_CAUSAL_DEPS, 'the deps are within their limit')
  assert((causalDeps.length === 0) === isGenesis(intention), 'deps are empty in the genesis and only there')
  const length = encodedIntentionBytes(intention)
  assert(length <= MAX_INTENTION_BYTES, 'the intention is within its limit')

  const bytes = new Uint8Array(length)
  bytes[0] = INTENTION_VERSION
  bytes.set(author, AUTHOR_OFFSET)
  writeU32(bytes, WALL_OFFSET, timestamp.wall % TWO_POW_32)
  writeU32(bytes, WALL_OFFSET + 4, Math.floor(timestamp.wall / TWO_POW_32))
  writeU32(bytes, COUNTER_OFFSET, timestamp.counter)
  bytes.set(storePrev, PREV_OFFSET)
  writeU32(bytes, DEPS_OFFSET, causalDeps.length)
  let offset = DEPS_OFFSET + 4
  for (const dep of causalDeps) {
    assert(dep.length === HASH_BYTES, 'a dep has 32 bytes')
    bytes.set(dep, offset)
    offset += HASH_BYTES
  }
  assert(findDepsError(bytes, causalDeps.length) === undefined, 'deps are ascending, unique and not zero')
  bytes[offset] = (hints.supersedesAll ? HINT_SUPERSEDES_ALL : 0) | (hints.ephemeral ? HINT_EPHEMERAL : 0)
  writeU32(bytes, offset + 1, ops.length)
  bytes.set(ops, offset + 5)
  return bytes
}

/**
 * Decodes an intention whose fields are views of `bytes`. Checks all that the bytes alone decide but the limit of deps by
 * kind of op and the form of a genesis; those take the decoded op (`validateIntention`).
 */
export function decodeIntention(bytes: Uint8Array): Result<Intention, IntentionError> {
  if (bytes.length > MAX_INTENTION_BYTES) {
    return err({ code: 'intention_too_large', bytes: bytes.length, limit: MAX_INTENTION_BYTES })
  }
  if (bytes.length < 1) return err({ code: 'truncated', needed: FIXED_BYTES, available: 0 })
  const version = bytes[0] ?? 0
  if (version !== INTENTION_VERSION) return err({ code: 'bad_version', version })
  if (bytes.length < FIXED_BYTES) return truncated(bytes, FIXED_BYTES)
  const wallHigh = readU32(bytes, WALL_OFFSET + 4)
  if (wallHigh > MAX_WALL_HIGH) return err({ code: 'timestamp_out_of_range' })

  const deps = readU32(bytes, DEPS_OFFSET)
  if (deps > MAX_KERNEL_CAUSAL_DEPS) return err({ code: 'too_many_deps', deps, limit: MAX_KERNEL_CAUSAL_DEPS })
  const hintsOffset = DEPS_OFFSET + 4 + deps * HASH_BYTES
  if (bytes.length < hintsOffset + 5) return truncated(bytes, hintsOffset + 5)
  const depsError = findDepsError(bytes, deps)
  if (depsError !== undefined) return err(depsError)

  const hints = bytes[hintsOffset] ?? 0
  if ((hints & ~HINTS_KNOWN) !== 0) return err({ code: 'reserved_hints', hints })
  const opsLength = readU32(bytes, hintsOffset + 1)
  if (opsLength > MAX_OPS_BYTES) return err({ code: 'ops_too_large', bytes: opsLength, limit: MAX_OPS_BYTES })
  const opsOffset = hintsOffset + 5
  const end = opsOffset + opsLength
  if (bytes.length < end) return truncated(bytes, end)
  if (bytes.length > end) return err({ code: 'trailing_bytes', bytes: bytes.length - end })

  const intention: Intention = {
    author: toPublicKey(bytes.subarray(AUTHOR_OFFSET, WALL_OFFSET)),
    timestamp: {
      wall: wallHigh * TWO_POW_32 + readU32(bytes, WALL_OFFSET),
      counter: readU32(bytes, COUNTER_OFFSET),
    },
    storePrev: toHash(bytes.subarray(PREV_OFFSET, DEPS_OFFSET)),
    causalDeps: readDeps(bytes, deps),
    hints: HINTS_OF_BYTE[hints] ?? NO_HINTS,
    ops: bytes.subarray(opsOffset, end),
  }
  if (isGenesis(intention)) return deps === 0 ? ok(intention) : err({ code: 'genesis_with_deps' })
  return deps === 0 ? err({ code: 'missing_deps' }) : ok(intention)
}

function truncated(bytes: Uint8Array, needed: number): Result<never, IntentionError> {
  return err({ code: 'truncated', needed, available: bytes.length })
}

function readDeps(bytes: Uint8Array, deps: number): IntentionId[] {
  const ids: IntentionId[] = new Array<IntentionId>(deps)
  let offset = DEPS_OFFSET + 4
  for (let index = 0; index < deps; index += 1, offset += HASH_BYTES) {
    ids[index] = toIntentionId(bytes.subarray(offset, offset + HASH_BYTES))
  }
  return ids
}

/** The first dep that is not greater than the one before it; the first is compared with zero, which no dep may be. */
function findDepsError(bytes: Uint8Array, deps: number): IntentionError | undefined {
  let offset = DEPS_OFFSET + 4
  for (let index = 0; index < deps; index += 1, offset += HASH_BYTES) {
    const order = index === 0 ? compareToZero(bytes, offset) : compareNeighbours(bytes, offset)
    if (order > 0) continue
    if (index === 0) return { code: 'zero_dep' }
    return order === 0 ? { code: 'duplicate_dep', index } : { code: 'unsorted_deps', index }
  }
  return undefined
}

function compareToZero(bytes: Uint8Array, offset: number): number {
  for (let index = 0; index < HASH_BYTES; index += 1) if (bytes[offset + index] !== ZERO_HASH[index]) return 1
  return 0
}

function compareNeighbours(bytes: Uint8Array, offset: number): number {
  for (let index = 0; index < HASH_BYTES; index += 1) {
    const difference = (bytes[offset + index] ?? 0) - (bytes[offset + index - HASH_BYTES] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function readU32(bytes: Uint8Array, offset: number): number {
  const low = (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8) | ((bytes[offset + 2] ?? 0) << 16)
  return low + (bytes[offset + 3] ?? 0) * 0x1000000
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value & 0xff
  bytes[offset + 1] = (value >>> 8) & 0xff
  bytes[offset + 2] = (value >>> 16) & 0xff
  bytes[offset + 3] = value >>> 24
}
