import { toHash } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createNodeMap, type NodeMap } from '../test/node-map.ts'
import type { Item } from './item.ts'
import {
  CHECKSUM_OFFSET,
  checksumOf,
  CHILD_OFFSET,
  HEADER_BYTES,
  INNER_RECORD_BYTES,
  ITEMS_OFFSET,
  KEY_BYTES,
  LEAF_RECORD_BYTES,
  LEVEL_OFFSET,
  NODE_BYTES_MIN,
  writeUint48,
} from './node-layout.ts'
import { HEAD_NODE, type NodeProblem, RangeIndexDamaged } from './node-store.ts'
import { openRangeIndex, type PersistentRangeIndex } from './persistent-range-index.ts'

const COUNT = 200

function build(): { readonly store: NodeMap; readonly index: PersistentRangeIndex } {
  const random = createSeededRandom(23)
  const store = createNodeMap()
  const index = openRangeIndex({ store, nodeBytesMax: NODE_BYTES_MIN, cacheNodesMax: 1 })
  for (let timestamp = 0; timestamp < COUNT; timestamp += 1) {
    index.insert({ timestamp, id: toHash(random.bytes(32)) } satisfies Item)
  }
  index.flush()
  store.commit()
  return { store, index }
}

const bytesOf = (store: NodeMap, node: number): Uint8Array => store.read(node)?.slice() ?? new Uint8Array(0)
const levelOf = (store: NodeMap, node: number): number | undefined => bytesOf(store, node)[LEVEL_OFFSET]
const nodesAt = (store: NodeMap, level: number): readonly number[] =>
  [...store.nodes()].filter((node) => node !== HEAD_NODE && levelOf(store, node) === level).sort((a, b) => a - b)

function nodeAt(store: NodeMap, level: number, position = 1): number {
  const node = nodesAt(store, level)[position]
  if (node === undefined) throw new Error('the tree is tall enough')
  return node
}

/** Writes changed bytes under a checksum that is right. */
function forge(store: NodeMap, node: number, change: (bytes: Uint8Array, view: DataView) => Uint8Array | void): void {
  const bytes = bytesOf(store, node)
  const changed = change(bytes, new DataView(bytes.buffer)) ?? bytes
  const view = new DataView(changed.buffer, changed.byteOffset, changed.byteLength)
  view.setUint32(CHECKSUM_OFFSET, checksumOf(view, node))
  store.write(node, changed)
}

function swap(bytes: Uint8Array, a: number, b: number): void {
  const [first, second] = [a, b].map((index) => HEADER_BYTES + index * LEAF_RECORD_BYTES)
  const copy = bytes.slice(first, (first ?? 0) + LEAF_RECORD_BYTES)
  bytes.copyWithin(first ?? 0, second ?? 0, (second ?? 0) + LEAF_RECORD_BYTES)
  bytes.set(copy, second)
}

const problems = (index: PersistentRangeIndex) => [...index.verify()].filter(({ problem }) => problem !== undefined)

/** Damage of each kind: what is done, and what is found where. */
const DAMAGE: readonly {
  readonly name: string
  readonly problem: NodeProblem
  readonly seed: (store: NodeMap) => number
  /** Not noticed by whoever just reads: only the order inside a node or between nodes is wrong. */
  readonly isQuiet?: boolean
}[] = [
  {
    name: 'a leaf that is gone',
    problem: 'missing',
    seed: (store) => {
      const node = nodeAt(store, 0)
      store.remove(node)
      return node
    },
  },
  {
    name: 'a node cut short',
    problem: 'malformed',
    seed: (store) => {
      const node = nodeAt(store, 0)
      store.write(node, bytesOf(store, node).subarray(0, -1))
      return node
    },
  },
  {
    name: 'a node longer than any',
    problem: 'malformed',
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (bytes, view) => {
        const longer = new Uint8Array(bytes.length + 100 * LEAF_RECORD_BYTES)
        view.setUint16(2, view.getUint16(2) + 100)
        longer.set(bytes)
        return longer
      })
      return node
    },
  },
  {
    name: 'a node of another version',
    problem: 'malformed',
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (bytes) => {
        bytes[0] = 2
      })
      return node
    },
  },
  {
    name: 'a flipped bit of a timestamp',
    problem: 'checksum',
    seed: (store) => {
      const node = nodeAt(store, 0)
      const bytes = bytesOf(store, node)
      bytes[HEADER_BYTES + LEAF_RECORD_BYTES + 1] = (bytes[HEADER_BYTES + LEAF_RECORD_BYTES + 1] ?? 0) ^ 1
      store.write(node, bytes)
      return node
    },
  },
  {
    name: 'the bytes of another node',
    problem: 'checksum',
    seed: (store) => {
      const node = nodeAt(store, 0)
      store.write(node, bytesOf(store, nodeAt(store, 0, 2)))
      return node
    },
  },
  {
    name: 'a node above itself',
    problem: 'level',
    seed: (store) => {
      const node = nodeAt(store, 1)
      forge(store, node, (_, view) => writeUint48(view, HEADER_BYTES + CHILD_OFFSET, node))
      return node
    },
  },
  {
    name: 'a lost record',
    problem: 'count',
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (bytes, view) => {
        view.setUint16(2, view.getUint16(2) - 1)
        return bytes.slice(0, -LEAF_RECORD_BYTES)
      })
      return node
    },
  },
  {
    name: 'an id that is another',
    problem: 'sum',
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (bytes) => {
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      })
      return node
    },
  },
  {
    name: 'two records in the wrong order',
    problem: 'order',
    isQuiet: true,
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (bytes) => swap(bytes, 0, 1))
      return node
    },
  },
  {
    name: 'a leaf before where its parent says',
    problem: 'bounds',
    isQuiet: true,
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (_, view) => writeUint48(view, HEADER_BYTES, 0))
      return node
    },
  },
  {
    name: 'a leaf that reaches into the next one',
    problem: 'bounds',
    isQuiet: true,
    seed: (store) => {
      const node = nodeAt(store, 0)
      forge(store, node, (bytes, view) => writeUint48(view, bytes.length - LEAF_RECORD_BYTES, COUNT))
      return node
    },
  },
  {
    name: 'an inner node that counts wrong',
    problem: 'count',
    seed: (store) => {
      const node = nodeAt(store, 1)
      forge(store, node, (_, view) => writeUint48(view, HEADER_BYTES + ITEMS_OFFSET, 1))
      return node
    },
  },
  {
    name: 'an inner node that sums wrong',
    problem: 'sum',
    seed: (store) => {
      const node = nodeAt(store, 1)
      forge(store, node, (bytes) => {
        bytes[HEADER_BYTES + INNER_RECORD_BYTES + KEY_BYTES] =
          (bytes[HEADER_BYTES + INNER_RECORD_BYTES + KEY_BYTES] ?? 0) ^ 1
      })
      return node
    },
  },
]

describe('verify', () => {
  test('looks at every node once and finds nothing wrong with what was written', () => {
    const { store, index } = build()
    const found = [...index.verify()]
    expect(found.map(({ node }) => node).sort((a, b) => a - b)).toEqual(
      [...store.nodes()].filter((node) => node !== HEAD_NODE).sort((a, b) => a - b),
    )
    expect(found.every(({ problem }) => problem === undefined)).toBe(true)
  })

  test.for(DAMAGE)('finds $name', ({ problem, seed }) => {
    const { store, index } = build()
    const node = seed(store)
    expect(problems(index)).toContainEqual({ node, problem })
  })

  test('finds nodes that nothing leads to', () => {
    const { store, index } = build()
    store.write(4000, bytesOf(store, nodeAt(store, 0)))
    expect(problems(index)).toEqual([{ node: 4000, problem: 'unreachable' }])
  })

  test('looks past what cannot be followed', () => {
    const { store, index } = build()
    const [node, leaves] = [nodeAt(store, 1, 0), nodesAt(store, 0)]
    store.remove(node)
    store.remove(leaves.at(-1) ?? 0)
    expect(problems(index)).toContainEqual({ node, problem: 'missing' })
    expect(problems(index)).toContainEqual({ node: leaves.at(-1), problem: 'missing' })
  })

  test('goes on when the index changes under it, and finds nothing wrong with it', () => {
    const { store, index } = build()
    const random = createSeededRandom(29)
    let turn = 0
    for (const { problem } of index.verify()) {
      expect(problem).toBe(undefined)
      turn += 1
      for (let more = 0; more < 5; more += 1) {
        index.insert({ timestamp: (turn * 7919 + more) % COUNT, id: toHash(random.bytes(32)) })
      }
      index.delete(index.at((turn * 31) % index.size()))
      if (turn % 3 === 0) index.flush()
      if (turn > 200) break
    }
    index.flush()
    expect(problems(index)).toEqual([])
    expect(store.size()).toBeGreaterThan(20)
  })
})

describe('damage', () => {
  test.for(DAMAGE.filter(({ isQuiet }) => isQuiet !== true))(
    '$name is an error, not an answer',
    ({ problem, seed }) => {
      const { store } = build()
      const node = seed(store)
      const index = openRangeIndex({ store, nodeBytesMax: NODE_BYTES_MIN })
      const use = (): unknown => [...index.items(0, index.size())]
      expect(use).toThrow(RangeIndexDamaged)
      expect(use).toThrow(`damaged at node ${node} (${problem})`)
    },
  )

  test.for([0, 1, 8, 9, 30, 59, 60])('a head with byte %i changed or cut off is refused', (at) => {
    const { store } = build()
    const head = bytesOf(store, HEAD_NODE)
    for (const bytes of [head.slice(0, at), head.map((byte, index) => (index === at ? byte ^ 4 : byte))]) {
      if (bytes.every((byte, index) => byte === head[index]) && bytes.length === head.length) continue
      store.write(HEAD_NODE, bytes)
      expect(() => openRangeIndex({ store })).toThrow('damaged at node 0')
    }
  })

  test('a head of another version, or that cannot be one, is refused', () => {
    const { store } = build()
    const head = bytesOf(store, HEAD_NODE)
    for (const [at, byte] of [
      [0, 2],
      [LEVEL_OFFSET, 0],
      [LEVEL_OFFSET, 200],
      [3, 2],
      [HEADER_BYTES, 0],
    ] as const) {
      store.write(HEAD_NODE, head)
      forge(store, HEAD_NODE, (bytes) => {
        bytes[at] = byte
      })
      expect(() => openRangeIndex({ store })).toThrow('damaged at node 0 (malformed)')
    }
  })

  test('a lost head with nodes left is an empty index and unreachable nodes', () => {
    const { store } = build()
    store.remove(HEAD_NODE)
    const index = openRangeIndex({ store })
    expect(index.size()).toBe(0)
    expect(problems(index).every(({ problem }) => problem === 'unreachable')).toBe(true)
    expect(problems(index).length).toBeGreaterThan(10)
  })

  test('any change of any bytes is a typed error or no matter: no other error, no endless loop', () => {
    const { store } = build()
    const nodes = [...store.nodes()]
    fc.assert(
      fc.property(
        fc.constantFrom(...nodes),
        fc.nat({ max: 400 }),
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        fc.boolean(),
        (node, at, noise, isForged) => {
          const damage = (bytes: Uint8Array): void =>
            bytes.set(noise.subarray(0, bytes.length), at % (bytes.length - 7))
          if (isForged) forge(store, node, damage)
          else {
            const bytes = bytesOf(store, node)
            damage(bytes)
            store.write(node, bytes)
          }
          try {
            const index = openRangeIndex({ store, cacheNodesMax: 2, nodeBytesMax: NODE_BYTES_MIN })
            for (const _ of index.verify()) continue
            for (let rank = 0; rank < COUNT; rank += 7) index.accumulate(rank, COUNT)
            for (const _ of index.items(0, COUNT)) continue
          } catch (error) {
            if (!(error instanceof RangeIndexDamaged)) throw error
          } finally {
            store.rollback()
          }
        },
      ),
      { numRuns: 600 },
    )
  })
})
