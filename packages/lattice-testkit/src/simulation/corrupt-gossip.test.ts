import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom } from '@lattice/model/testing'
import { toSeed } from '@lattice/model'
import { decodeFrame, encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import { expect, test } from 'vitest'
import { createCorruption } from './corrupt-frames.ts'
import type { HostileHabit } from './kinds.ts'

const TOPIC = new Uint8Array(32).fill(1)
const STORE = new Uint8Array(16).fill(2)
const ID = new Uint8Array(32).fill(3)
const PUSH: FrameInit = {
  case: 'push',
  value: {
    topic: TOPIC,
    storeId: STORE,
    round: 1,
    intentions: [{ intention: new Uint8Array([1, 2]), signature: new Uint8Array(64) }],
  },
}
const IHAVE: FrameInit = { case: 'ihave', value: { topic: TOPIC, storeId: STORE, ids: [ID], rounds: [1] } }
const SHUFFLE: FrameInit = {
  case: 'membership',
  value: { topic: TOPIC, kind: 6, peer: ID, ttl: 2, sample: [ID, ID] },
}
const HEARTBEAT: FrameInit = {
  case: 'heartbeat',
  value: { stores: [{ storeId: STORE, witnessCount: 3n, fingerprint: ID }] },
}

function frameOf(init: FrameInit): Frame {
  const frame = decodeFrame(bodyOf(encodeFrame(init)))
  if (!frame.ok) throw new Error(frame.error.code)
  return frame.value
}

/** Without the length in front of it. */
function bodyOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(bytes.findIndex((byte) => byte < 0x80) + 1)
}

test.each<[HostileHabit, FrameInit, string]>([
  ['invent_ids', PUSH, 'ihave'],
  ['invent_ids', IHAVE, 'ihave'],
  ['graft_or_prune', IHAVE, 'graft'],
  ['other_topic', PUSH, 'push'],
  ['invent_peers', SHUFFLE, 'membership'],
  ['forge_digest', HEARTBEAT, 'heartbeat'],
  ['bad_signature', PUSH, 'push'],
])('%s turns a frame of gossip into one that can be read and is not true', async (habit, init, kind) => {
  const crypto = await openCrypto({ backend: 'wasm' })
  const random = createSeededRandom(habit)
  const keyPair = crypto.keyPairFromSeed(toSeed(random.bytes(32)))
  const deeds: HostileHabit[] = []
  const onDeed = (deed: HostileHabit): void => void deeds.push(deed)
  const corruption = createCorruption({
    habits: [habit],
    random,
    crypto,
    keyPair,
    lateMs: 0,
    onDeed,
    isActive: () => true,
  })
  const honest = encodeFrame(init)
  const kinds = new Set<string>()
  for (let nth = 0; nth < 200; nth += 1) {
    const [chunk = honest] = corruption.of(frameOf(init)).chunks
    if (Buffer.compare(chunk, honest) === 0) continue
    const frame = decodeFrame(bodyOf(chunk))
    if (!frame.ok) throw new Error(frame.error.code)
    kinds.add(frame.value.case ?? '')
    // A broadcast without its topic would be refused unread.
    if (frame.value.case === 'push') expect(frame.value.value.topic).toHaveLength(TOPIC.length)
  }
  expect(deeds.length).toBeGreaterThan(0)
  expect([...kinds]).toContain(kind)
})
