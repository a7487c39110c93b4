/** Whom a store that was fetched asks for what came after, and what it makes of their answers. */
import { createAbortController, equalBytes, type LatticeErrorCode, type PublicKey, toPublicKey } from '@lattice/model'
import { BootstrapFailed } from '@lattice/net'
import { describe, expect, test } from 'vitest'
import { proveFetched, type ProveFetched } from './prove-fetched.ts'

const keys: readonly PublicKey[] = [1, 2, 3].map((n) => toPublicKey(new Uint8Array(32).fill(n)))
const peers = keys.map((peer) => ({ peer, addresses: [] }))
const self = toPublicKey(new Uint8Array(32))
const { signal } = createAbortController()

/** What each peer comes to: it proves it, has nothing new, sends what is invalid by a rule, or fails so. */
type Answer = 'proves' | 'nothing' | { readonly invalid: string } | LatticeErrorCode

/** A kernel that calls its base final once a peer has told it so. */
async function ask(answers: readonly Answer[], server: PublicKey | undefined = keys[0]) {
  let mayBegin = false
  const asked: number[] = []
  const kernel = { base: () => ({ epoch: keys[0] }), epoch: () => ({ mayBegin }) }
  let sent = ''
  const bootstrap: ProveFetched['network']['bootstrap'] = async ({ store: fetched, peers: [hint], isApart }) => {
    expect(isApart).toBe(true)
    const index = keys.findIndex((key) => hint !== undefined && equalBytes(key, hint.peer))
    asked.push(index)
    const answer = answers[index] ?? 'nothing'
    if (typeof answer === 'object') {
      sent = answer.invalid
      await fetched.ingest([], keys[index] ?? self)
    } else if (answer === 'proves') mayBegin = true
    else if (answer !== 'nothing') throw new BootstrapFailed('it failed', { codes: [answer] })
    return { peer: keys[index] ?? keys[0], pages: 0, fetched: 0, synced: true } as Awaited<ReturnType<typeof bootstrap>>
  }
  const ingest = async () => [{ kind: 'invalid', code: sent, id: undefined }]
  const store = { kernel, replicated: { id: keys[0], ingest } } as unknown as ProveFetched['store']
  return { proof: await proveFetched({ store, network: { bootstrap }, peers, server, signal }), asked }
}

describe('a store that was fetched', () => {
  test('asks who gave its beginning first, and nobody after one who proves it', async () => {
    expect(await ask(['nothing', 'nothing', 'proves'], keys[2])).toEqual({ proof: { kind: 'proven' }, asked: [2] })
    expect(await ask(['nothing', 'proves', 'nothing'])).toEqual({ proof: { kind: 'proven' }, asked: [0, 1] })
  })

  test.each<[readonly Answer[], string]>([
    [['nothing', 'nothing', 'nothing'], 'unproven'],
    [['PEER_UNREACHABLE', 'BASE_UNKNOWN', 'PEER_UNREACHABLE'], 'unproven'],
    [['PROTOCOL_VIOLATION', 'PEER_UNREACHABLE', 'PEER_UNREACHABLE'], 'unproven'],
    // Nobody is there who could bear it out: that is held against nobody.
    [['PEER_UNREACHABLE', 'DEADLINE_EXCEEDED', 'PEER_UNREACHABLE'], 'unheard'],
  ])('of which %j came is %s', async (answers, kind) => {
    expect(await ask(answers)).toEqual({ proof: { kind }, asked: [0, 1, 2] })
  })

  test.each(['store_prev_foreign', 'timestamp_not_after_causes', 'dep_below_epoch', 'cause_invalid'])(
    'and what is %s by it contradict each other: it asks nobody else, and says who gave that',
    async (invalid) => {
      const proof = { kind: 'contradicted', by: keys[1] }
      expect(await ask(['nothing', { invalid }, 'proves'])).toEqual({ proof, asked: [0, 1] })
    },
  )

  test('is not contradicted by what is invalid whatever was fetched: whoever sends that is to blame', async () => {
    expect(await ask([{ invalid: 'bad_signature' }, 'proves'])).toEqual({ proof: { kind: 'proven' }, asked: [0, 1] })
  })

  test('fails as this node does', async () => {
    await expect(ask(['DISK_FULL'])).rejects.toMatchObject({ detail: { codes: ['DISK_FULL'] } })
  })
})
