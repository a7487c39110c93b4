/** Whom a store that was fetched asks for what came after, and what it makes of their answers. */
import { createAbortController, equalBytes, type LatticeErrorCode, type PublicKey, toPublicKey } from '@lattice/model'
import { BootstrapFailed } from '@lattice/net'
import { describe, expect, test } from 'vitest'
import { proveFetched, type ProveFetched } from './prove-fetched.ts'

const keys: readonly PublicKey[] = [1, 2, 3].map((n) => toPublicKey(new Uint8Array(32).fill(n)))
const peers = keys.map((peer) => ({ peer, addresses: [] }))
const { signal } = createAbortController()

/** What each peer comes to: it proves it, has nothing new, or fails so. */
type Answer = 'proves' | 'nothing' | LatticeErrorCode

/** A kernel that calls its base final once a peer has told it so. */
async function ask(answers: readonly Answer[], server: PublicKey | undefined = keys[0]) {
  let mayBegin = false
  const asked: number[] = []
  const kernel = { base: () => ({ epoch: keys[0] }), epoch: () => ({ mayBegin }) }
  const bootstrap: ProveFetched['network']['bootstrap'] = async ({ peers: [hint], isApart }) => {
    expect(isApart).toBe(true)
    const index = keys.findIndex((key) => hint !== undefined && equalBytes(key, hint.peer))
    asked.push(index)
    const answer = answers[index] ?? 'nothing'
    if (answer === 'proves') mayBegin = true
    else if (answer !== 'nothing') throw new BootstrapFailed('it failed', { codes: [answer] })
    return { peer: keys[index] ?? keys[0], pages: 0, fetched: 0, synced: true } as Awaited<ReturnType<typeof bootstrap>>
  }
  const store = { kernel, replicated: {} } as unknown as ProveFetched['store']
  return { proof: await proveFetched({ store, network: { bootstrap }, peers, server, signal }), asked }
}

describe('a store that was fetched', () => {
  test('asks who gave its beginning first, and nobody after one who proves it', async () => {
    expect(await ask(['nothing', 'nothing', 'proves'], keys[2])).toEqual({ proof: 'proven', asked: [2] })
    expect(await ask(['nothing', 'proves', 'nothing'])).toEqual({ proof: 'proven', asked: [0, 1] })
  })

  test.each<[readonly Answer[], string]>([
    [['nothing', 'nothing', 'nothing'], 'unproven'],
    [['PEER_UNREACHABLE', 'BASE_UNKNOWN', 'PEER_UNREACHABLE'], 'unproven'],
    [['PROTOCOL_VIOLATION', 'PEER_UNREACHABLE', 'PEER_UNREACHABLE'], 'unproven'],
    // Nobody is there who could bear it out: that is held against nobody.
    [['PEER_UNREACHABLE', 'DEADLINE_EXCEEDED', 'PEER_UNREACHABLE'], 'unheard'],
  ])('of which %j came is %s', async (answers, proof) => {
    expect(await ask(answers)).toEqual({ proof, asked: [0, 1, 2] })
  })

  test('fails as this node does', async () => {
    await expect(ask(['DISK_FULL'])).rejects.toMatchObject({ detail: { codes: ['DISK_FULL'] } })
  })
})
