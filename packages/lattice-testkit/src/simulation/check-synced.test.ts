/** A peer that is shown as synced is judged by the sets that both hold over one base. */
import type { KernelDigest } from '@lattice/kernel'
import { toHash, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { checkPeerSync } from './check-synced.ts'
import { createCutWatch, type HoldingKernel } from './cut-watch.ts'
import { digestsKey, digestText } from './follow-node.ts'
import { drawPlan } from './plan.ts'
import { createRunRecord } from './run-record.ts'
import type { World } from './world.ts'

const storeId = toStoreId(new Uint8Array(32).fill(1))
const epoch = toIntentionId(new Uint8Array(32).fill(2))
const peerKey = toPublicKey(new Uint8Array(32).fill(3))

function setOf(witnessCount: number): KernelDigest {
  const fingerprint = new Uint8Array(32).fill(witnessCount)
  return { witnessCount, fingerprint, epochHeads: [], settledSeq: 0, tipsDigest: toHash(fingerprint) }
}

interface Shown {
  readonly whole: number
  readonly over: number
  readonly peer: number
  readonly isPeerUp?: boolean
}

/** The history of the peer begins at the epoch; what node-0 holds over that is `over`, and `whole` in all. */
function shown({ whole, over, peer, isPeerUp = true }: Shown) {
  const cuts = createCutWatch()
  const node: HoldingKernel = {
    storeId,
    base: () => undefined,
    epochs: () => [],
    digest: () => setOf(whole),
    over: () => ({ digest: () => setOf(over), rangeIndex: () => undefined as never }),
  }
  const cut: HoldingKernel = {
    storeId,
    base: () => ({ epoch, seq: 1n, fromSeq: 1, goneCount: 0 }),
    epochs: () => [],
    digest: () => setOf(peer),
    over: () => undefined,
  }
  const held = new Set<string>()
  cuts.watch({ key: digestsKey(1, storeId), kernel: cut, isWatched: () => true }, (set) => held.add(digestText(set)))()

  const record = createRunRecord(drawPlan({ seed: 1 }))
  const store = { kernel: () => node, peers: () => [{ publicKey: peerKey, self: false, sync: 'synced' }] }
  const world: Partial<Record<keyof World, unknown>> = {
    record,
    cuts,
    honest: [0],
    stores: { team: storeId, watched: storeId },
    hostile: undefined,
    indexOf: () => 1,
    digests: new Map([[digestsKey(1, storeId), held]]),
    mesh: {
      peers: [{ isUp: () => true }, { isUp: () => isPeerUp }],
      node: () => ({ store: () => store }),
      store: () => store,
    },
  }
  checkPeerSync(world as unknown as World)
  return record.findings.map(({ invariant }) => invariant)
}

describe('a peer that is shown as synced', () => {
  test('and has cut may hold what is here over its base, though never all of it', () => {
    expect(shown({ whole: 30, over: 17, peer: 17 })).toEqual([])
  })

  test('is found where it never held what is here, over no base', () => {
    expect(shown({ whole: 30, over: 17, peer: 16 })).toEqual(['synced_is_true'])
  })

  // It is connected still, but what it holds is seen by nobody here.
  test('is not judged while it says its last', () => {
    expect(shown({ whole: 30, over: 17, peer: 16, isPeerUp: false })).toEqual([])
  })
})
