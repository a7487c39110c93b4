import { toPublicKey } from '@lattice/model'
import { expect, test } from 'vitest'
import { createDoubtedPeers } from './doubted-peers.ts'
import { RETRY_MAX_MS } from './retry-pauses.ts'

const peerOf = (n: number) => ({ peer: toPublicKey(new Uint8Array(32).fill(n)) })

test('who is doubted is not asked for a while, unless nobody else is there', () => {
  let nowMs = 0
  const doubts = createDoubtedPeers({ monotonicMs: () => nowMs })
  const [first, second] = [peerOf(1), peerOf(2)]
  doubts.doubt(first.peer)
  expect(doubts.trusted([first, second])).toEqual([second])
  expect(doubts.trusted([first])).toEqual([first])
  nowMs = RETRY_MAX_MS
  expect(doubts.trusted([first, second])).toEqual([first, second])
})
