import { create } from '@bufbuild/protobuf'
import { toSeed } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom } from '@lattice/model/testing'
import { decodeFrame, encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import { net } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createCorruption } from './corrupt-frames.ts'

const ID = new Uint8Array(32).fill(3)
const PLACES = [1, 2, 3].map((at) => create(net.RowPlaceSchema, { table: 2, key: new Uint8Array([at]) }))

/** Without the length in front of it. */
function bodyOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(bytes.findIndex((byte) => byte < 0x80) + 1)
}

function frameOf(init: FrameInit): Frame {
  const frame = decodeFrame(bodyOf(encodeFrame(init)))
  if (!frame.ok) throw new Error(frame.error.code)
  return frame.value
}

test.each<[string, FrameInit, number]>([
  ['an offer', { case: 'baseOffer', value: { base: ID, baseSeq: 2n, snapshot: ID, root: ID, rows: 100n } }, 5],
  [
    'a page of the foundation',
    { case: 'foundationPage', value: { base: ID, after: 0n, items: PLACES.map(({ key }) => key), total: 3n } },
    8,
  ],
  [
    'a page of rows',
    {
      case: 'snapshotPage',
      value: {
        epoch: ID,
        root: ID,
        rows: PLACES.map(({ key }) => create(net.SnapshotRowSchema, { table: 2, key, value: ID })),
        last: true,
      },
    },
    8,
  ],
  ['an outline', { case: 'outline', value: { epoch: ID, ends: PLACES } }, 5],
])('%s is served as one that can be read and is not true, in many ways', async (_, init, ways) => {
  const crypto = await openCrypto({ backend: 'wasm' })
  const random = createSeededRandom(init.case ?? '')
  const keyPair = crypto.keyPairFromSeed(toSeed(random.bytes(32)))
  const corruption = createCorruption({
    habits: ['lie_about_state'],
    random,
    crypto,
    keyPair,
    lateMs: 0,
    onDeed: () => undefined,
    isActive: () => true,
  })
  const honest = encodeFrame(init)
  const seen = new Set<string>()
  for (let nth = 0; nth < 400; nth += 1) {
    const [chunk = honest] = corruption.of(frameOf(init)).chunks
    if (Buffer.compare(chunk, honest) === 0) continue
    const frame = decodeFrame(bodyOf(chunk))
    expect(frame.ok && frame.value.case).toBe(init.case)
    seen.add(Buffer.from(chunk).toString('hex'))
  }
  expect(seen.size).toBeGreaterThanOrEqual(ways)
})
