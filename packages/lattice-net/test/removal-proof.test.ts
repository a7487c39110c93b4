/** How a peer is shown a removal whose past was cut: by a foundation, which it takes from whoever it may. */
import { assert, createAbortController, idKey, type IntentionId } from '@lattice/model'
import type { RemovalProof, WriterRefused } from '@lattice/net-types'
import { net } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import type { FrameInit } from '../src/frame.ts'
import type { NetworkEvent } from '../src/index.ts'
import { REMOVAL_PROOF_LOST_MS, REMOVAL_PROOF_PAUSE_MS } from '../src/limits.ts'
import { createRevocationAsker, createRevocationServer, type RevokedStore } from '../src/revocation.ts'
import { viewFor } from '../src/store-registry.ts'
import { converse, feed } from './drive.ts'
import { type Mesh, openMesh } from './mesh.ts'
import { modelProof, removedPair } from './protocols.ts'

type Removed = Awaited<ReturnType<typeof removedPair>>

function serverOf({ b, epoch }: Removed, change: Partial<RevokedStore> = {}) {
  const store: RevokedStore = { ...b.store, epochs: [epoch], foundation: epoch, allowed: () => true, ...change }
  return createRevocationServer({ resolve: () => store, about: () => undefined })
}

function askerOf({ a, b }: Removed, openProof: () => RemovalProof | undefined) {
  const view = viewFor(a.store, b.signer.publicKey, () => true)
  return createRevocationAsker(view, { known: a.store.tipIds(100), openProof })
}

/** Takes whatever comes, and answers with these. */
function proofWith(answers: { readonly add?: WriterRefused; readonly end?: WriterRefused | boolean }) {
  const seen = { items: 0, ends: 0, closes: 0 }
  const proof: RemovalProof = {
    add: async (items) => {
      seen.items += items.length
      return answers.add
    },
    end: async () => {
      seen.ends += 1
      return answers.end ?? true
    },
    close: () => {
      seen.closes += 1
    },
  }
  return { proof, seen }
}

describe('who asks', () => {
  test('takes the foundation page by page where the epochs cannot come, and no row of state', async () => {
    const removed = await removedPair()
    const { a, b, epoch } = removed
    const frames: string[] = []
    const { a: side, b: other } = await converse(
      askerOf(removed, () => modelProof(b.store, epoch)),
      serverOf(removed),
      {
        end: true,
        alter: (_, frame) => {
          frames.push(frame.case)
          return frame
        },
      },
    )
    expect(side.outcome).toMatchObject({ epochs: [epoch], isShown: true })
    expect(other.failure).toBeUndefined()
    expect(a.store.missing([epoch])).toHaveLength(1)
    expect(new Set(frames)).toEqual(
      new Set(['revocationRequest', 'revocation', 'intentions', 'foundationRequest', 'foundationPage']),
    )
  })

  test('takes none where none is named, or where none is taken now', async () => {
    const removed = await removedPair()
    const { proof, seen } = proofWith({})
    const { a } = await converse(
      askerOf(removed, () => undefined),
      serverOf(removed),
      { end: true },
    )
    expect(a.outcome).toMatchObject({ isShown: undefined })
    const unnamed = await converse(
      askerOf(removed, () => proof),
      serverOf(removed, { foundation: undefined }),
    )
    expect(unnamed.a.outcome).toMatchObject({ isShown: undefined })
    expect(seen).toEqual({ items: 0, ends: 0, closes: 0 })
  })

  test('takes one where the epochs are here as well, and says who admitted it again', async () => {
    const removed = await removedPair()
    const { a, b, epoch } = removed
    const view = viewFor(b.store, a.signer.publicKey, () => true)
    const admittedBy = [b.signer.publicKey]
    const asker = createRevocationAsker(view, {
      known: b.store.tipIds(1),
      admittedBy,
      openProof: () => modelProof(b.store, epoch),
    })
    const told: unknown[] = []
    const resolve: Parameters<typeof createRevocationServer>[0]['resolve'] = (_, keys) => {
      told.push(keys)
      return { ...b.store, epochs: [epoch], foundation: epoch, allowed: () => true }
    }
    const server = createRevocationServer({ resolve, about: () => undefined })
    const { a: side } = await converse(asker, server, { end: true })
    expect(side.outcome).toMatchObject({ epochs: [epoch], witnessed: 0, isShown: true })
    expect(told).toEqual([admittedBy])
  })

  test.each<[string, Parameters<typeof proofWith>[0], object]>([
    ['refused at once', { add: { code: 'wrong_store' } }, { kind: 'bootstrap', why: 'removal_wrong_store' }],
    ['refused at its end', { end: { code: 'not_removed' } }, { kind: 'bootstrap', why: 'removal_not_removed' }],
  ])('ends with one that is %s, and it counts against the peer', async (_, answers, failure) => {
    const removed = await removedPair()
    const { a } = await converse(
      askerOf(removed, () => proofWith(answers).proof),
      serverOf(removed),
      { end: true },
    )
    expect(a.failure).toEqual(failure)
  })

  test('does not count it against the peer where it knows better', async () => {
    const removed = await removedPair()
    const { a } = await converse(
      askerOf(removed, () => proofWith({ end: false }).proof),
      serverOf(removed),
      {
        end: true,
      },
    )
    expect(a).toMatchObject({ failure: undefined, outcome: { isShown: false } })
  })

  const epoch = new Uint8Array(32).fill(7)
  const told: readonly FrameInit[] = [
    { case: 'revocation', value: { epochs: [epoch], foundation: epoch } },
    { case: 'intentions', value: { intentions: [], last: true } },
  ]
  const page = (value: object): FrameInit => {
    const whole = { base: epoch, after: 0n, items: [Uint8Array.of(1)], total: 3n }
    return { case: 'foundationPage', value: { ...whole, ...value } }
  }
  test.each<[string, readonly FrameInit[], object]>([
    [
      'a foundation of an epoch that is none',
      [{ case: 'revocation', value: { epochs: [epoch], foundation: new Uint8Array(31) } }],
      { kind: 'violation', why: 'revocation_malformed' },
    ],
    [
      'a page before it asked',
      [told[0] ?? page({}), page({})],
      { kind: 'violation', why: 'unexpected_foundationPage' },
    ],
    ['intentions after the last', [...told, told[1] ?? page({})], { kind: 'violation', why: 'unexpected_intentions' }],
    [
      'a page of another epoch',
      [...told, page({ base: new Uint8Array(32) })],
      { kind: 'bootstrap', why: 'foundation_of_another_base' },
    ],
    ['a page of other items', [...told, page({ after: 1n })], { kind: 'bootstrap', why: 'foundation_reordered' }],
    ['the same page twice', [...told, page({}), page({})], { kind: 'bootstrap', why: 'foundation_reordered' }],
    ['a page of nothing', [...told, page({ items: [] })], { kind: 'bootstrap', why: 'foundation_page_empty' }],
    ['more than there is', [...told, page({ total: 0n })], { kind: 'bootstrap', why: 'foundation_longer_than_said' }],
    ['a count that is none', [...told, page({ total: 2n ** 60n })], { kind: 'violation', why: 'foundation_malformed' }],
  ])('ends with %s', async (_, frames, failure) => {
    const removed = await removedPair()
    expect(
      (
        await feed(
          askerOf(removed, () => proofWith({}).proof),
          frames,
        )
      ).failure,
    ).toEqual(failure)
  })
})

describe('who serves', () => {
  const asks = ({ a, epoch }: Removed, value: object = {}): FrameInit => {
    return { case: 'foundationRequest', value: { storeId: a.store.id, base: epoch, after: 0n, ...value } }
  }
  const begins = ({ a }: Removed): FrameInit => ({ case: 'revocationRequest', value: { storeId: a.store.id } })

  test.each<[string, (removed: Removed) => readonly FrameInit[], string]>([
    ['before it says what there is', (removed) => [asks(removed)], 'unexpected_foundationRequest'],
    [
      'of another store',
      (removed) => [begins(removed), asks(removed, { storeId: new Uint8Array(32) })],
      'foundation_request_malformed',
    ],
    [
      'of another epoch',
      (removed) => [begins(removed), asks(removed, { base: new Uint8Array(32) })],
      'foundation_request_malformed',
    ],
    [
      'from a count that is none',
      (removed) => [begins(removed), asks(removed, { after: 2n ** 60n })],
      'foundation_request_malformed',
    ],
    ['from after its end', (removed) => [begins(removed), asks(removed, { after: 4000n })], 'foundation_after_its_end'],
  ])('ends with a wish for a foundation %s', async (_, frames, why) => {
    const removed = await removedPair()
    expect((await feed(serverOf(removed), frames(removed))).failure).toEqual({ kind: 'violation', why })
  })

  test('gives none that it did not name, none to who may not see it any more, and none that is gone', async () => {
    const removed = await removedPair()
    const frames = [begins(removed), asks(removed)]
    const unnamed = await feed(serverOf(removed, { foundation: undefined }), frames)
    // It was over with the last of the past.
    expect(unnamed.sent.map((frame) => frame.case)).not.toContain('foundationPage')
    let isAllowed = true
    const machine = serverOf(removed, {
      allowed: () => isAllowed,
      readFoundation: () => {
        isAllowed = false
        return { items: [], total: 0 }
      },
    })
    expect((await feed(machine, frames)).failure).toMatchObject({ refusal: net.RefusalCode.NO_SUCH_STORE })
    const gone = await feed(serverOf(removed, { readFoundation: () => undefined }), frames)
    expect(gone.failure).toMatchObject({ kind: 'refuse', refusal: net.RefusalCode.SNAPSHOT_GONE })
  })
})

describe('among peers', () => {
  /** Node 0 says that it removed node 1, with what node 1 cannot have. */
  async function told(seed: string, answers: Parameters<typeof proofWith>[0]) {
    const mesh = await openMesh({ nodes: 2, seed })
    const [keeper, removed] = [mesh.node(0), mesh.node(1)]
    keeper.store.write(20)
    const [epoch] = keeper.store.write(1)
    assert(epoch !== undefined, 'an epoch is written')
    keeper.store.declare(new Map([[idKey(epoch.id), 1n]]))
    let opened = 0
    const begin = (id: IntentionId): void => {
      keeper.store.setEpochs([epoch], false)
      keeper.store.setAccess(() => 'revoked')
      keeper.store.setRemoval({ foundation: id })
    }
    const { proof, seen } = proofWith(answers)
    removed.store.setRemoval({
      foundation: undefined,
      openProof: () => {
        opened += 1
        return proof
      },
    })
    return { mesh, keeper, removed, epoch, begin, seen, opened: () => opened }
  }
  const notices = (mesh: Mesh): Extract<NetworkEvent, { kind: 'revoked' }>[] =>
    mesh.node(1).events.flatMap((event) => ('kind' in event && event.kind === 'revoked' ? [event] : []))

  test('one that showed nothing new is not taken again from the same peer for a while', async () => {
    const { mesh, keeper, removed, epoch, begin, seen, opened } = await told('pause', { end: false })
    keeper.store.prune(epoch.id)
    begin(epoch.id)
    const tell = async (): Promise<void> => {
      const before = notices(mesh).length
      const sync = async (): Promise<void> => {
        for await (const _ of removed.service.sync(mesh.storeId, createAbortController().signal));
      }
      await mesh.settle(sync())
      await mesh.until('it is told', () => notices(mesh).length > before)
    }
    removed.service.want(keeper.id, [])
    await mesh.until('it is told', () => notices(mesh).length > 0)
    expect([opened(), seen.ends, seen.closes]).toEqual([1, 1, 1])
    expect(notices(mesh)).toMatchObject([{ held: false }])
    await tell()
    expect(opened()).toBe(1)
    await mesh.advance(REMOVAL_PROOF_PAUSE_MS)
    await tell()
    expect([opened(), seen.ends, seen.closes]).toEqual([2, 2, 2])
    expect(REMOVAL_PROOF_LOST_MS).toBeLessThan(REMOVAL_PROOF_PAUSE_MS)
  })

  test('one that is refused counts against the peer, and the store is as it was', async () => {
    const { mesh, keeper, removed, epoch, begin, seen } = await told('lie', { end: { code: 'not_removed' } })
    keeper.store.prune(epoch.id)
    begin(epoch.id)
    removed.service.want(keeper.id, [])
    const blamed = (): readonly string[] =>
      removed.events.flatMap((event) => ('kind' in event && event.kind === 'misbehaviour' ? [event.message] : []))
    await mesh.until('it is blamed', () => blamed().length > 0 && seen.closes > 0)
    expect(blamed()[0]).toContain('removal_not_removed')
    expect(seen).toMatchObject({ ends: 1, closes: 1 })
    expect(notices(mesh)).toEqual([])
    expect(removed.store.digest().witnessCount).toBe(1)
  })
})
