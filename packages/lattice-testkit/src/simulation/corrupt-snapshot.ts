/**
 * Turns a frame about a pruned log, or the state at its base, into one that is not true: changed, cut, out of order, of
 * something else, or another one in its place.
 *
 * @module
 */
import type { SeededRandom } from '@lattice/model/testing'
import type { Frame, FrameInit } from '@lattice/net'

const ID_BYTES = 32
/** A total that is not so is off by no more. */
const MAX_OFF = 64

/** Undefined for a frame of another kind. */
export function lieAboutState(frame: Frame, random: SeededRandom): FrameInit | undefined {
  switch (frame.case) {
    case 'baseOffer': {
      const lies = [
        { base: random.bytes(ID_BYTES) },
        { base: new Uint8Array(0), baseSeq: 0n },
        { snapshot: random.bytes(ID_BYTES) },
        { root: random.bytes(ID_BYTES) },
        { rows: BigInt(random.below(MAX_OFF)) },
      ]
      return { case: 'baseOffer', value: { ...frame.value, ...pick(lies, random) } }
    }
    case 'foundationPage': {
      const { items, total } = frame.value
      const lies = [
        { items: changeOne(items, (item) => flipped(item, random), random) },
        { items: reorder(items, random) },
        { total: total + BigInt(random.below(MAX_OFF)) },
        { after: frame.value.after + BigInt(random.below(MAX_OFF)) },
        { base: random.bytes(ID_BYTES) },
      ]
      return { case: 'foundationPage', value: { ...frame.value, ...pick(lies, random) } }
    }
    case 'snapshotPage': {
      const { rows, last } = frame.value
      const lies = [
        { rows: changeOne(rows, (row) => ({ ...row, value: flipped(row.value, random) }), random) },
        { rows: changeOne(rows, (row) => ({ ...row, key: flipped(row.key, random) }), random) },
        { rows: reorder(rows, random) },
        { last: !last },
        { root: random.bytes(ID_BYTES) },
        { epoch: random.bytes(ID_BYTES) },
      ]
      return { case: 'snapshotPage', value: { ...frame.value, ...pick(lies, random) } }
    }
    case 'outline':
      return { case: 'outline', value: { ...frame.value, ends: reorder(frame.value.ends, random) } }
    default:
      return undefined
  }
}

function pick<Lie>(lies: readonly Lie[], random: SeededRandom): Lie | undefined {
  return lies[random.below(lies.length)]
}

function changeOne<Item>(items: readonly Item[], change: (item: Item) => Item, random: SeededRandom): Item[] {
  const at = random.below(Math.max(1, items.length))
  return items.map((item, index) => (index === at ? change(item) : item))
}

/** One is left out, comes twice, or changes places with another. */
function reorder<Item>(items: readonly Item[], random: SeededRandom): Item[] {
  const [one, other] = [random.below(Math.max(1, items.length)), random.below(Math.max(1, items.length))]
  switch (random.below(3)) {
    case 0:
      return items.filter((_, index) => index !== one)
    case 1:
      return items.flatMap((item, index) => (index === one ? [item, item] : [item]))
    default:
      return items.map((item, index) => items[index === one ? other : index === other ? one : index] ?? item)
  }
}

function flipped(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice()
  const at = random.below(Math.max(1, copy.length))
  if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  return copy
}
