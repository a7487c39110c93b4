import { type SignedIntention, toHex, toIntentionId } from '@lattice/model'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_TIP_AUTHORS } from '../src/limits.ts'
import { createReconcileInitiator } from '../src/reconcile-initiator.ts'
import { createReconcileResponder } from '../src/reconcile-responder.ts'
import { createUnasked } from '../src/unasked.ts'
import { flights } from './drive.ts'
import { createPair, type Peer } from './pair.ts'
import { casesOf, forkedPeers, same, session, type SessionOptions, signedOf, threePeers, view } from './tip-peers.ts'

describe('a session by tip maps', () => {
  test('takes two round trips, both ways at once, without a word about ids', async () => {
    const { a, b } = await threePeers()
    a.store.write(100)
    b.store.write(100)
    const result = await flights(
      createReconcileInitiator(view(a.store, b)),
      createReconcileResponder({ resolve: () => view(b.store, a) }),
    )
    expect(result.a.outcome).toMatchObject({ synced: true, sent: 100, received: 100, witnessed: 100 })
    expect(result.roundTrips).toBe(2)
    expect(casesOf(result.a.sent)).toEqual(['hello', 'intentions', 'intentions', 'ingested', 'done'])
    expect(casesOf(result.b.sent)).toEqual(['hello', 'intentions', 'intentions', 'ingested', 'done'])
    expect(same(a, b)).toBe(true)
  })

  test('fetches all of a store from nothing, the genesis included, and gives it', async () => {
    for (const [from, to] of [
      ['empty', 'full'],
      ['full', 'empty'],
    ] as const) {
      const pair = await threePeers()
      const peers = { full: pair.a, empty: pair.peer(9, { holdsGenesis: false }) }
      const result = await session(peers[from], peers[to])
      expect(result.a.outcome).toMatchObject({ synced: true })
      expect([...result.a.sent, ...result.b.sent].some((frame) => frame.case === 'reconcile')).toBe(false)
      expect(peers.empty.store.digest()).toEqual(peers.full.store.digest())
    }
  })

  test('of more authors than a map has goes by ranges, whose first message comes with the Hello', async () => {
    const pair = await createPair()
    for (let author = 2; author < MAX_TIP_AUTHORS + 2; author += 1) {
      const peer = pair.peer(author)
      peer.store.write(1)
      await pair.a.store.ingest(signedOf(peer.store), peer.signer.publicKey)
    }
    expect(pair.a.store.chainTips(MAX_TIP_AUTHORS)).toBeUndefined()
    const result = await session(pair.a, pair.b)
    const [hello] = result.a.sent
    expect(hello?.case === 'hello' && !hello.value.hasTipMap).toBe(true)
    expect(result.b.sent.slice(0, 2).map((frame) => frame.case)).toEqual(['hello', 'reconcile'])
    expect([result.a.outcome?.synced, result.b.outcome?.synced]).toEqual([true, true])
  })

  test('where the first message came with the Hello, equal sets are one round trip all the same', async () => {
    const { a, b } = await forkedPeers()
    await session(a, b)
    expect(a.store.chainTips(MAX_TIP_AUTHORS)).toBeUndefined()
    const result = await session(a, b)
    expect(casesOf(result.a.sent)).toEqual(['hello', 'done'])
    expect(casesOf(result.b.sent)).toEqual(['hello', 'done'])
    expect(result.a.outcome?.synced).toBe(true)
  })

  test('converges for any writes and forks of three authors, whoever starts, and says so only then', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ write: fc.nat(3), count: fc.integer({ min: 1, max: 9 }) }),
            fc.record({ from: fc.nat(3), to: fc.nat(3) }),
          ),
          { maxLength: 14 },
        ),
        async (steps) => {
          const pair = await createPair()
          // The first and the last are one author: what they write apart is a fork.
          const peers = [pair.a, pair.b, pair.peer(2), pair.peer(0)]
          const at = (index: number): Peer => peers[index] ?? pair.a
          const meet = async (a: Peer, b: Peer): Promise<void> => {
            if (a === b) return
            const result = await session(a, b)
            expect(result.a.failure ?? result.b.failure).toBeUndefined()
            expect(result.a.outcome?.synced).toBe(same(a, b))
            expect(result.a.outcome?.synced).toBe(true)
          }
          for (const step of steps) {
            if ('write' in step) at(step.write).store.write(step.count, 20 + step.write)
            else await meet(at(step.from), at(step.to))
          }
          for (const [from, to] of [
            [0, 1],
            [1, 2],
            [2, 3],
            [3, 0],
            [0, 1],
            [1, 2],
          ] as const)
            await meet(at(from), at(to))
          expect(new Set(peers.map(({ store }) => toHex(store.digest().fingerprint))).size).toBe(1)
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('what floats at the peer', () => {
  /** A peer that lets everything of one author float, as for want of an admission. */
  async function refusing(): Promise<{ readonly a: Peer; readonly b: Peer }> {
    const { a, b } = await threePeers()
    const { ingest } = a.store
    Object.assign(a.store, {
      ingest: async (batch: readonly SignedIntention[], source: Peer['signer']['publicKey']) => {
        await ingest([], source)
        return batch.map(() => ({
          kind: 'floating',
          id: toIntentionId(new Uint8Array(32)),
          reason: 'not_admitted',
          missing: [],
        }))
      },
    })
    return { a, b }
  }

  test.each(['a', 'b'] as const)('is sent once per connection when %s sends it', async (sender) => {
    const { a: refuser, b: writer } = await refusing()
    writer.store.write(5)
    const [from, to] = sender === 'a' ? [writer, refuser] : [refuser, writer]
    const unasked = createUnasked()
    const options: SessionOptions = {
      ...(sender === 'a' ? { unaskedOfA: unasked } : { unaskedOfB: unasked }),
      // As one whose pool holds them all: nothing is asked for again.
      viewOfA: { wanted: () => [] },
    }
    const sent: number[] = []
    for (let round = 0; round < 2; round += 1) {
      const result = await session(from, to, options)
      const outcome = sender === 'a' ? result.a.outcome : result.b.outcome
      expect(outcome?.synced).toBe(false)
      sent.push(outcome?.sent ?? -1)
      if (outcome !== undefined) unasked.ended(outcome)
    }
    expect(sent).toEqual([5, 0])
  })

  test('is given to one that asks for it, by ranges', async () => {
    const { a: refuser, b: writer } = await refusing()
    writer.store.write(5)
    const unaskedOfB = createUnasked()
    for (let round = 0; round < 2; round += 1) {
      const result = await session(refuser, writer, { unaskedOfB })
      if (result.b.outcome !== undefined) unaskedOfB.ended(result.b.outcome)
      expect(casesOf(result.a.sent)).toContain('want')
      expect(result.b.outcome?.sent).toBe(round === 0 ? 10 : 5)
    }
  })
})
