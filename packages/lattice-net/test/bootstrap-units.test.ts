/** Units of a bootstrap that are on their way to the store at the same time. */
import { toHex } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { expect, test } from 'vitest'
import type { Frame } from '../src/frame.ts'
import { driveBootstrap } from './bootstrap-drive.ts'
import { createPair } from './pair.ts'

/** More than a log may name without their causes before it counts as none. */
const RUNS = 75
const RUN_LENGTH = 40

test('what floats because one before it was refused counts against nobody, and comes again in its order', async () => {
  const pair = await createPair()
  for (let run = 0; run < RUNS; run += 1) pair.a.store.write(RUN_LENGTH)
  const third = pair.peer(2)
  for (const peer of [pair.b, third]) {
    await peer.store.ingest(
      pair.a.store.read(pair.a.store.ids(), Number.MAX_SAFE_INTEGER).intentions,
      peer.signer.publicKey,
    )
  }
  /** Forges the end of the first run that it is asked for. */
  const forger = () => {
    let isFirst = true
    return (frame: Frame): Frame => {
      const last = frame.case === 'intentions' && isFirst ? frame.value.intentions[RUN_LENGTH - 1] : undefined
      if (last !== undefined && last.signature.length > 0) {
        last.signature = new Uint8Array(64).fill(7)
        isFirst = false
      }
      return frame
    }
  }
  let caught = 0
  for (let seed = 0; seed < 4; seed += 1) {
    const store = pair.peer(9, { holdsGenesis: false }).store
    const peers = [
      { id: pair.a.signer.publicKey, store: pair.a.store },
      { id: pair.b.signer.publicKey, store: pair.b.store, alter: forger() },
      { id: third.signer.publicKey, store: third.store },
    ]
    const run = await driveBootstrap({ pair, joiner: store, peers, random: createSeededRandom(`units ${seed}`) })
    expect(run.end).not.toBe('failed')
    expect(store.ids().map(toHex).toSorted()).toEqual(pair.a.store.ids().map(toHex).toSorted())
    expect(store.floatingCount()).toBe(0)
    for (const [peer] of run.barred) expect(peer).toBe(1)
    caught += run.barred.length
  }
  expect(caught).toBeGreaterThan(0)
})
