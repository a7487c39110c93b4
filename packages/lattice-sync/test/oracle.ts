/**
 * The independent implementation to compare with, and what tests of sessions share.
 *
 * nostr-tools' `Negentropy` implements the initiator. Its answer as a responder to an id list is a skip (it learns from
 * the list instead), so `oracleAnswer` adds the one branch of a responder, on top of the library's own parts.
 *
 * @module
 */
import type { nip77 } from 'nostr-tools'
import { createSeededRandom } from '@lattice/model/testing'
import { fromHex, toHash, toHex } from '@lattice/model'
import { sha256 } from '@noble/hashes/sha2.js'
import { createMemoryRangeIndex, createReconciler, type Item, type ReconcilerOptions, type Role } from '../src/index.ts'

// By its file: the package announces a `source` condition, which this workspace resolves, but ships no sources.
const oraclePath: string = '../node_modules/nostr-tools/lib/esm/nip77.js'
const { Negentropy, NegentropyStorageVector }: typeof nip77 = await import(/* @vite-ignore */ oraclePath)
type Negentropy = nip77.Negentropy
type NegentropyStorageVector = nip77.NegentropyStorageVector

/** No session of these tests takes more messages. */
export const ROUNDS_MAX = 2000

/** An item whose id follows from a seed and a number. */
export function itemOf(seed: number, number: number, timestamp: number): Item {
  return { timestamp, id: toHash(sha256(new Uint8Array(Float64Array.of(seed, number).buffer))) }
}

export interface SetsOptions {
  readonly seed: number
  readonly shared: number
  readonly onlyA: number
  readonly onlyB: number
  /** Timestamps are drawn from this many values; few make many equal ones. */
  readonly timestamps: number
}

/** Two overlapping sets, drawn from a seed. */
export function drawSets(options: SetsOptions): { readonly a: readonly Item[]; readonly b: readonly Item[] } {
  const random = createSeededRandom(options.seed)
  const draw = (number: number): Item => {
    const bytes = random.bytes(6)
    const drawn = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
    return itemOf(options.seed, number, drawn % options.timestamps)
  }
  const all = Array.from({ length: options.shared + options.onlyA + options.onlyB }, (_, number) => draw(number))
  const cut = options.shared + options.onlyA
  return { a: all.slice(0, cut), b: [...all.slice(0, options.shared), ...all.slice(cut)] }
}

export function idSet(items: readonly Item[]): ReadonlySet<string> {
  return new Set(items.map((item) => toHex(item.id)))
}

export function minus(a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] {
  return [...a].filter((id) => !b.has(id)).sort()
}

/** One side of a session, ours or theirs, behind one face. */
export interface Side {
  readonly start: () => Uint8Array
  readonly receive: (message: Uint8Array) => SideStep
}

export interface SideStep {
  readonly reply: Uint8Array | undefined
  readonly have: readonly string[]
  readonly need: readonly string[]
}

export function ourSide(role: Role, items: readonly Item[], options: Partial<ReconcilerOptions> = {}): Side {
  const reconciler = createReconciler({ index: createMemoryRangeIndex(items), role, ...options })
  return {
    start: () => reconciler.start(),
    receive: (message) => {
      const step = reconciler.receive(message)
      if (!step.ok) throw new Error(`refused: ${JSON.stringify(step.error)}`)
      const { reply, have, need } = step.value
      return { reply, have: have.map(toHex), need: need.map(toHex) }
    },
  }
}

function storageOf(items: readonly Item[]): NegentropyStorageVector {
  const storage = new NegentropyStorageVector()
  for (const item of items) storage.insert(item.timestamp, toHex(item.id))
  storage.seal()
  return storage
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === undefined) throw new Error('the oracle speaks hex')
  return bytes
}

/** The library as it is, in either role. Both roles learn from id lists. */
export function theirSide(items: readonly Item[], frameBytesMax: number): Side {
  const negentropy = new Negentropy(storageOf(items), frameBytesMax)
  return {
    start: () => bytesOf(negentropy.initiate()),
    receive: (message) => {
      const have: string[] = []
      const need: string[] = []
      const reply = negentropy.reconcile(
        toHex(message),
        (id) => have.push(id),
        (id) => need.push(id),
      )
      return { reply: reply === null ? undefined : bytesOf(reply), have, need }
    },
  }
}

interface OracleBuffer {
  length: number
  extend(bytes: Uint8Array | OracleBuffer): void
  unwrap(): Uint8Array
}

/** The library's initiator with the branch for id lists that the specification asks of a responder. */
export function theirResponder(items: readonly Item[], frameBytesMax: number): Side {
  const storage = storageOf(items)
  const negentropy = new Negentropy(storage, frameBytesMax)
  return {
    start: () => {
      throw new Error('a responder does not start')
    },
    receive: (message) => ({ reply: oracleAnswer(negentropy, storage, message), have: [], need: [] }),
  }
}

function oracleAnswer(negentropy: Negentropy, storage: NegentropyStorageVector, message: Uint8Array): Uint8Array {
  // The library does not export its buffer; an encoded bound is one, emptied for use.
  const emptyBuffer = (): OracleBuffer => {
    const lastTimestamp = negentropy.lastTimestampOut
    const buffer = negentropy.encodeBound({ timestamp: Number.MAX_VALUE, id: new Uint8Array(0) })
    buffer.length = 0
    negentropy.lastTimestampOut = lastTimestamp
    return buffer
  }
  const query = emptyBuffer()
  query.extend(message.slice(1))
  negentropy.lastTimestampIn = 0
  negentropy.lastTimestampOut = 0
  const full = emptyBuffer()
  full.extend(Uint8Array.of(0x61))
  const size = storage.size()
  let previous: { timestamp: number; id: Uint8Array } = { timestamp: 0, id: new Uint8Array(0) }
  let lower = 0
  let skip = false
  const takeVarint = (): number => {
    let value = 0
    for (;;) {
      const byte = takeBytes(1)[0] ?? 0
      value = value * 128 + (byte % 128)
      if (byte < 128) return value
    }
  }
  const takeBytes = (count: number): Uint8Array => (query as ReturnType<typeof negentropy.encodeBound>).shiftN(count)
  const putVarint = (out: OracleBuffer, value: number): void => {
    if (value >= 128 * 128) out.extend(Uint8Array.of(128 + Math.floor(value / 16384)))
    if (value >= 128) out.extend(Uint8Array.of(128 + (Math.floor(value / 128) % 128)))
    out.extend(Uint8Array.of(value % 128))
  }
  while (query.length > 0) {
    const out = emptyBuffer()
    const doSkip = (): void => {
      if (skip) {
        out.extend(negentropy.encodeBound(previous))
        out.extend(Uint8Array.of(0))
      }
      skip = false
    }
    const bound = negentropy.decodeBound(query as Parameters<typeof negentropy.decodeBound>[0])
    bound.id = bound.id.slice()
    const mode = takeVarint()
    let upper = storage.findLowerBound(lower, size, bound)
    if (mode === 0) skip = true
    else if (mode === 1) {
      if (toHex(takeBytes(16)) === toHex(storage.fingerprint(lower, upper))) skip = true
      else {
        doSkip()
        negentropy.splitRange(lower, upper, bound, out as Parameters<typeof negentropy.splitRange>[3])
      }
    } else {
      takeBytes(takeVarint() * 32)
      doSkip()
      const ids: Uint8Array[] = []
      let end = bound
      storage.iterate(lower, upper, (item, rank) => {
        if (negentropy.exceededFrameSizeLimit(full.length + ids.length * 32)) {
          end = item
          upper = rank
          return false
        }
        ids.push(item.id)
        return true
      })
      out.extend(negentropy.encodeBound(end))
      out.extend(Uint8Array.of(2))
      putVarint(out, ids.length)
      for (const id of ids) out.extend(id)
      full.extend(out)
      out.length = 0
    }
    if (negentropy.exceededFrameSizeLimit(full.length + out.length)) {
      full.extend(negentropy.encodeBound({ timestamp: Number.MAX_VALUE, id: new Uint8Array(0) }))
      full.extend(Uint8Array.of(1))
      full.extend(storage.fingerprint(upper, size))
      break
    }
    full.extend(out)
    lower = upper
    previous = bound
  }
  return full.unwrap().slice()
}

export interface SessionReport {
  readonly have: ReadonlySet<string>
  readonly need: ReadonlySet<string>
  /** What the responder reported; ours reports nothing. */
  readonly responderHave: ReadonlySet<string>
  readonly responderNeed: ReadonlySet<string>
  readonly messages: readonly Uint8Array[]
  readonly roundTrips: number
}

/** Runs a session to its end. */
export function runSession(initiator: Side, responder: Side): SessionReport {
  const have = new Set<string>()
  const need = new Set<string>()
  const responderHave = new Set<string>()
  const responderNeed = new Set<string>()
  const messages: Uint8Array[] = []
  let message: Uint8Array | undefined = initiator.start()
  let roundTrips = 0
  while (message !== undefined) {
    roundTrips += 1
    if (roundTrips > ROUNDS_MAX) throw new Error('a session between honest peers ends')
    messages.push(message)
    const answer: SideStep = responder.receive(message)
    for (const id of answer.have) responderHave.add(id)
    for (const id of answer.need) responderNeed.add(id)
    // The library's responder says that it is done by not answering.
    const reply = answer.reply ?? Uint8Array.of(0x61)
    messages.push(reply)
    const step: SideStep = initiator.receive(reply)
    for (const id of step.have) have.add(id)
    for (const id of step.need) need.add(id)
    message = step.reply
  }
  return { have, need, responderHave, responderNeed, messages, roundTrips }
}
