import { toSeed } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { createSeededRandom } from '@lattice/model/testing'
import { decodeFrame, encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import { expect, test } from 'vitest'
import { createCorruption } from './corrupt-frames.ts'

const NOW = 1_795_000_000_000
const LATE_MS = 1_000_000_000

function decoded(bytes: Uint8Array): Frame {
  // Without the length in front of it.
  const frame = decodeFrame(bytes.subarray(bytes.findIndex((byte) => byte < 0x80) + 1))
  if (!frame.ok) throw new Error(frame.error.code)
  return frame.value
}

test.each<[string, FrameInit]>([
  ['an opening', { case: 'open', value: { protocol: 1, version: 1, wallTime: BigInt(NOW) } }],
  ['the answer to one', { case: 'accepted', value: { version: 1, wallTime: BigInt(NOW) } }],
])('%s says another time: none, an earlier one, a later one, and none that is later than told', async (_, init) => {
  const crypto = await openCrypto({ backend: 'wasm' })
  const random = createSeededRandom(init.case ?? '')
  const corruption = createCorruption({
    habits: ['lie_about_time'],
    random,
    crypto,
    keyPair: crypto.keyPairFromSeed(toSeed(random.bytes(32))),
    lateMs: LATE_MS,
    onDeed: () => undefined,
    isActive: () => true,
  })
  const said: number[] = []
  for (let nth = 0; nth < 400; nth += 1) {
    const [chunk] = corruption.of(decoded(encodeFrame(init))).chunks
    const frame = chunk && decoded(chunk)
    if (frame?.case !== 'open' && frame?.case !== 'accepted') throw new Error('it stays what it was')
    said.push(Number(frame.value.wallTime))
  }
  expect(said).toContain(0)
  expect(said.some((ms) => ms > 0 && ms < NOW)).toBe(true)
  expect(Math.max(...said)).toBeGreaterThan(NOW + LATE_MS / 2)
  expect(Math.max(...said)).toBeLessThanOrEqual(NOW + LATE_MS)
})
