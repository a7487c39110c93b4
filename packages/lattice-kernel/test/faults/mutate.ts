/**
 * Ways to spoil a batch of signed intentions, at every byte of it and in its order.
 *
 * @module
 */
import type { SignedIntention } from '@lattice/model'
import type { SeededRandom } from '@lattice/model/testing'

/** What a byte may become; the random one is tried as well. */
const CHANGES: readonly ((byte: number) => number)[] = [
  (byte) => byte ^ 0x01,
  (byte) => byte ^ 0x80,
  (byte) => (byte + 1) & 0xff,
  (byte) => (byte + 0xff) & 0xff,
  () => 0x00,
  () => 0xff,
]

/** One of the batch with one byte changed: byte number `place` of all bytes and signatures. */
export function changeByte(batch: readonly SignedIntention[], place: number, random: SeededRandom): SignedIntention {
  let at = place
  for (const { bytes, signature } of batch) {
    if (at < bytes.length) return { bytes: withByte(bytes, at, random), signature }
    at -= bytes.length
    if (at < signature.length) return { bytes, signature: withByte(signature, at, random) }
    at -= signature.length
  }
  throw new RangeError('the place is in the batch')
}

function withByte(bytes: Uint8Array, at: number, random: SeededRandom): Uint8Array {
  const copy = bytes.slice()
  const old = bytes[at] ?? 0
  const change = CHANGES[random.below(CHANGES.length + 1)] ?? (() => random.below(256))
  const changed = change(old)
  // Always another byte.
  copy[at] = changed === old ? old ^ 0x40 : changed
  return copy
}

export function bytesOf(batch: readonly SignedIntention[]): number {
  return batch.reduce((sum, { bytes, signature }) => sum + bytes.length + signature.length, 0)
}

type Spoil = (item: SignedIntention, random: SeededRandom, batch: readonly SignedIntention[]) => SignedIntention

const DEPS_COUNT_OFFSET = 1 + 32 + 8 + 4 + 32
const LENGTHS: readonly number[] = [
  0, 1, 2, 16, 17, 255, 256, 4095, 4096, 4097, 0x2_0000, 0x2_0001, 0x7fff_ffff, 0xffff_ffff,
]

/** Changes of one intention that are more than a byte. */
const SPOILS: readonly Spoil[] = [
  ({ bytes, signature }, random) => ({ bytes: bytes.slice(0, random.below(bytes.length)), signature }),
  ({ bytes, signature }, random) => ({ bytes: bytes.slice(random.below(bytes.length)), signature }),
  ({ bytes, signature }, random) => ({ bytes: concat(bytes, random.bytes(1 + random.below(64))), signature }),
  ({ bytes, signature }, random) => insert(bytes, signature, random),
  ({ bytes, signature }, random) => cutOut(bytes, signature, random),
  ({ bytes, signature }, random) => lengthAttack(bytes, signature, random),
  ({ bytes, signature }, random) => swapParts(bytes, signature, random),
  ({ bytes, signature }, random) => ({ bytes, signature: signature.slice(0, random.below(65)) }),
  ({ bytes, signature }, random) => ({ bytes, signature: concat(signature, random.bytes(1 + random.below(8))) }),
  ({ bytes }, random) => ({ bytes, signature: random.bytes(64) }),
  ({ bytes }) => ({ bytes, signature: new Uint8Array(64) }),
  // Parts of others of the batch.
  ({ bytes }, random, batch) => ({ bytes, signature: pick(batch, random).signature }),
  ({ bytes, signature }, random, batch) => ({ bytes: splice(bytes, pick(batch, random).bytes, random), signature }),
  (_, random) => ({ bytes: random.bytes(random.below(400)), signature: random.bytes(random.below(2) * 64) }),
]

/** One of the batch, spoiled. */
export function spoil(batch: readonly SignedIntention[], random: SeededRandom): SignedIntention {
  const change = pick(SPOILS, random)
  return change(pick(batch, random), random, batch)
}

/** The same intentions in another order, some twice, some without their signature, some not at all. */
export function disorder(batch: readonly SignedIntention[], random: SeededRandom): SignedIntention[] {
  const all = batch.flatMap((item) => {
    const kind = random.below(8)
    if (kind === 0) return []
    if (kind === 1) return [item, item]
    return kind === 2 ? [{ bytes: item.bytes, signature: new Uint8Array(0) }] : [item]
  })
  for (let index = all.length - 1; index > 0; index -= 1) {
    const other = random.below(index + 1)
    const [a, b] = [all[index], all[other]]
    if (a === undefined || b === undefined) continue
    all[index] = b
    all[other] = a
  }
  return all
}

function insert(bytes: Uint8Array, signature: Uint8Array, random: SeededRandom): SignedIntention {
  const at = random.below(bytes.length)
  return { bytes: concat(bytes.subarray(0, at), random.bytes(1 + random.below(40)), bytes.subarray(at)), signature }
}

function cutOut(bytes: Uint8Array, signature: Uint8Array, random: SeededRandom): SignedIntention {
  const at = random.below(bytes.length)
  return { bytes: concat(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40))), signature }
}

/** Claims another number of deps, or another length of the payload. */
function lengthAttack(bytes: Uint8Array, signature: Uint8Array, random: SeededRandom): SignedIntention {
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  const deps = view.getUint32(DEPS_COUNT_OFFSET, true)
  const opsLength = DEPS_COUNT_OFFSET + 4 + deps * 32 + 1
  const at = random.below(2) === 0 || opsLength + 4 > copy.length ? DEPS_COUNT_OFFSET : opsLength
  view.setUint32(at, pick(LENGTHS, random), true)
  return { bytes: copy, signature }
}

function swapParts(bytes: Uint8Array, signature: Uint8Array, random: SeededRandom): SignedIntention {
  const copy = bytes.slice()
  const length = 1 + random.below(32)
  const [from, to] = [random.below(bytes.length - length), random.below(bytes.length - length)]
  copy.set(bytes.subarray(from, from + length), to)
  copy.set(bytes.subarray(to, to + length), from)
  return { bytes: copy, signature }
}

function splice(bytes: Uint8Array, other: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(Math.min(bytes.length, other.length))
  return concat(bytes.subarray(0, at), other.subarray(at))
}

export function pick<T>(items: readonly T[], random: SeededRandom): T {
  const item = items[random.below(items.length)]
  if (item === undefined) throw new RangeError('there is something to pick from')
  return item
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
