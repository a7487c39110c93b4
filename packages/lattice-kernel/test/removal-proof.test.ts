/** Who was removed while it was away is shown so by a foundation, and by nothing that only says so. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  assert,
  encodeUniversalOp,
  equalBytes,
  genesisStoreId,
  type ParsedIntention,
  parseSignedIntention,
  type PublicKey,
  type Signer,
  signIntention,
  type SignedIntention,
  toHex,
} from '@lattice/model'
import { create } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import type { MembershipPolicy } from '@lattice/store-base'
import { afterEach, describe, expect, test } from 'vitest'
import {
  encodeFoundationItem,
  type FoundationItem,
  type Kernel,
  type KernelEvent,
  type ProofRefused,
} from '../src/index.ts'
import { createHistory, keyOf, modelPolicy } from './cutoff-history.ts'
import { crypto, genesisOf, removeDirectories, signerOf, type TestKernel } from './harness.ts'
import { removeOp } from './membership-model.ts'
import { openPlain, vouchersOf } from './plain-foundation.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

type HistoryOf = ReturnType<typeof createHistory>
const VICTIM = 3

/** What the history comes to at an epoch, with those who have to vouch for it. */
async function foundationAt(
  { storeId, all }: Pick<HistoryOf, 'storeId' | 'all'>,
  epoch: ParsedIntention,
): Promise<readonly FoundationItem[]> {
  const { kernel } = await openPlain({ storeId })
  await kernel.ingest(all, undefined)
  await kernel.recheckFloating()
  const items = kernel.foundation(epoch.id)?.read(0, 1e9)
  assert(items !== undefined, 'the epoch has a foundation')
  await kernel.close()
  return [...items, ...acks(epoch, items)]
}

const acks = (epoch: ParsedIntention, items: readonly FoundationItem[]): readonly FoundationItem[] =>
  vouchersOf(epoch, items).map((ack) => ({ kind: 'ack', ack }))

/** The victim with what it knows. */
async function openVictim(
  { storeId }: Pick<HistoryOf, 'storeId'>,
  known: readonly SignedIntention[],
  directory?: string,
): Promise<TestKernel> {
  const opened = await openPlain({ storeId, signer: signerOf(VICTIM), ...(directory && { directory }) })
  await opened.kernel.ingest(known, undefined)
  return opened
}

async function show(
  kernel: Kernel,
  items: readonly FoundationItem[],
  from?: PublicKey,
): Promise<ProofRefused | boolean> {
  const proof = kernel.openRemovalProof(from)
  assert(proof !== undefined, 'none is under way')
  try {
    // Page by page.
    for (let from = 0; from < items.length; from += 3) {
      const refused = await proof.add(items.slice(from, from + 3).map(encodeFoundationItem))
      if (refused !== undefined) return refused
    }
    return await proof.end()
  } finally {
    proof.close()
  }
}

/** The victim is what it was. */
async function expectIn({ kernel, directory }: TestKernel): Promise<void> {
  expect(kernel.removal()).toBe(undefined)
  expect(kernel.revokedBy(keyOf(VICTIM))).toEqual([])
  expect(kernel.excluded(10)).toEqual([])
  await kernel.submit(appOp('set mine 1'))
  expect(readdirSync(directory).filter((name) => name.startsWith('remov'))).toEqual([])
  await kernel.close()
}

/** Others write, 1 removes 3 and has not seen what that wrote last. */
function removedAway(history = createHistory()) {
  const known = [...history.start, history.write(VICTIM, 'set known 1', history.start)]
  const more = [history.write(4, 'set more 1', known), history.write(5, 'set even 1', known)]
  const epoch = history.remove(1, VICTIM, [...known, ...more], { acks: [2, 4, 5] })
  return { history, known, epoch }
}

/** 1 removes 3, 2 admits it again and is removed by 1, who has not seen that. */
function admittedInVain() {
  const history = createHistory()
  const removal = history.remove(1, VICTIM, history.start, { acks: [2, 4, 5] })
  const back = history.admit(2, VICTIM, [removal])
  const known = [...history.all, history.write(VICTIM, 'set back 1', [back])]
  const later = history.remove(1, 2, [history.write(4, 'set more 1', [removal])], { acks: [4, 5] })
  return { history, removal, known, later }
}

describe('a foundation that voids the admission after a removal that is here', () => {
  test('is believed, over a restart, until somebody who may admits the peer again', async () => {
    const { history, removal, known, later } = admittedInVain()
    const items = await foundationAt(history, later)
    const { kernel, directory } = await openVictim(history, known)
    expect(kernel.revokedBy(keyOf(VICTIM))).toEqual([])
    expect(kernel.readmittedBy(keyOf(VICTIM))).toEqual([keyOf(2)])
    expect(await show(kernel, items)).toBe(true)
    expect(kernel.removal()).toEqual({ epoch: removal.id, author: keyOf(1) })
    expect(kernel.excluded(10)).toMatchObject([{ author: keyOf(VICTIM), epoch: removal.id }])
    await kernel.close()
    const again = await openVictim(history, [], directory)
    expect(again.kernel.revokedBy(keyOf(VICTIM))).toEqual([removal.id])
    await expect(again.kernel.submit(appOp('set more 2'))).rejects.toMatchObject({ code: 'REVOKED' })
    history.admit(1, VICTIM, [later])
    await again.kernel.ingest(history.all, undefined)
    await again.kernel.recheckFloating()
    expect(again.kernel.removal()).toBe(undefined)
    expect(again.kernel.revokedBy(keyOf(VICTIM))).toEqual([])
    await again.kernel.close()
    const last = await openVictim(history, [], directory)
    expect(readdirSync(directory).filter((name) => name.startsWith('remov'))).toEqual([])
    await last.kernel.close()
  })

  test.each([
    ['may not', false],
    ['might not then, and is back', true],
  ])('is named to who says by whom it was admitted, where that one %s', async (_, isBack) => {
    const { history, later } = admittedInVain()
    if (isBack) history.admit(1, 2, [later])
    const { kernel } = await openPlain({ storeId: history.storeId })
    const [stateRoot, chainEnds] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(8)]
    const value = create(weaver.EpochAckOpSchema, { epoch: later.id, stateRoot, chainEnds })
    for (const author of [1, 4, 5]) history.write(author, { kind: 'epochAck', schema: 0, value }, [later])
    await kernel.ingest(history.all, undefined)
    await kernel.recheckFloating()
    expect(kernel.removalFoundation(keyOf(VICTIM), [])).toBe(undefined)
    expect(kernel.removalFoundation(keyOf(VICTIM), [keyOf(1), keyOf(4)])).toBe(undefined)
    expect(kernel.removalFoundation(keyOf(VICTIM), [keyOf(4), keyOf(2)])).toEqual(later.id)
    // Who was not removed is told nothing.
    expect(kernel.removalFoundation(keyOf(4), [keyOf(2)])).toBe(undefined)
    await kernel.close()
  })
})

test('an epoch that is not final is named by its author alone', async () => {
  const { history, later } = admittedInVain()
  for (const [author, named] of [
    [1, later.id],
    [4, undefined],
  ] as const) {
    const { kernel } = await openPlain({ storeId: history.storeId, signer: signerOf(author) })
    await kernel.ingest(history.all, undefined)
    await kernel.recheckFloating()
    expect(kernel.removalFoundation(keyOf(VICTIM), [keyOf(2)])).toEqual(named)
    await kernel.close()
  }
})

test('a foundation whose base waits for what its store has from the parent shows nothing, and nobody is blamed', async () => {
  const { history, known, epoch } = removedAway()
  const items = await foundationAt(history, epoch)
  const membership: MembershipPolicy = {
    ...modelPolicy,
    resolve: (past) => {
      const view = modelPolicy.resolve(past)
      return { ...view, faultOf: (id) => (equalBytes(id, epoch.id) ? 'admin_unknown' : view.faultOf(id)) }
    },
  }
  const victim = await openPlain({ storeId: history.storeId, signer: signerOf(VICTIM), membership })
  await victim.kernel.ingest(known, undefined)
  expect(await show(victim.kernel, items)).toBe(false)
  await expectIn(victim)
})

describe('a foundation with the removal in it', () => {
  test('is believed, cuts what the epoch had not seen and nothing else, and is not forgotten', async () => {
    const { history, known, epoch } = removedAway()
    const items = await foundationAt(history, epoch)
    const apart = [history.write(VICTIM, 'set apart 1', []), history.write(VICTIM, 'set known 2', [])]
    const victim = await openVictim(history, [...known, ...apart])
    const { kernel, directory } = victim
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    const before = kernel.stats().witnessCount
    expect(await show(kernel, items)).toBe(true)
    const expectOut = async (at: Kernel): Promise<void> => {
      expect(at.removal()).toEqual({ epoch: epoch.id, author: keyOf(1) })
      expect(at.revokedBy(keyOf(VICTIM))).toEqual([epoch.id])
      expect(at.revokedBy(keyOf(4))).toEqual([])
      expect(at.excluded(10).map(({ id, epoch: by }) => [toHex(id), by])).toEqual(
        apart.map(({ id }) => [toHex(id), epoch.id]),
      )
      await expect(at.submit(appOp('set more 2'))).rejects.toMatchObject({ code: 'REVOKED' })
      await expect(at.submitEpoch({ kind: 'initial' })).rejects.toMatchObject({ code: 'REVOKED' })
      expect(at.stats().witnessCount).toBe(before)
      expect(at.digest().witnessCount).toBe(before - apart.length)
      expect((await at.verify()).outcome).toBe('sound')
    }
    await expectOut(kernel)
    expect(events).toContainEqual({ kind: 'removal_shown', epoch: epoch.id, author: keyOf(1) })
    expect(events).toContainEqual({ kind: 'excluded', author: keyOf(VICTIM), count: 2, epoch: epoch.id, own: true })
    // State is what it is to who never had what was cut.
    const other = await openVictim(history, known)
    expect(await kernel.stateDigest()).toEqual(await other.kernel.stateDigest())
    await other.kernel.close()
    await kernel.close()
    const again = await openVictim(history, [], directory)
    await expectOut(again.kernel)
    await again.kernel.close()
    expect(readdirSync(directory).filter((name) => name.startsWith('remov'))).toEqual(['removed'])
  })

  test('that is all there is of its chain cuts nothing of who wrote nothing since', async () => {
    const { history, known, epoch } = removedAway()
    const { kernel } = await openVictim(history, known)
    expect(await show(kernel, await foundationAt(history, epoch))).toBe(true)
    expect(kernel.excluded(10)).toEqual([])
    await kernel.close()
  })

  test('shows it at a later epoch as well, and holds beside a later one that is shown', async () => {
    const { history, known, epoch } = removedAway()
    const later = history.remove(2, 5, [epoch], { acks: [1, 4] })
    const { kernel } = await openVictim(history, known)
    expect(await show(kernel, await foundationAt(history, later))).toBe(true)
    expect(kernel.removal()).toEqual({ epoch: epoch.id, author: keyOf(1) })
    expect(await show(kernel, await foundationAt(history, later))).toBe(true)
    await kernel.close()
  })

  test('ends as the epoch itself is witnessed: that speaks for itself', async () => {
    const { history, known, epoch } = removedAway()
    const items = await foundationAt(history, epoch)
    const { kernel, directory } = await openVictim(history, known)
    expect(await show(kernel, items)).toBe(true)
    await kernel.ingest(history.all, undefined)
    expect(kernel.removal()).toBe(undefined)
    expect(kernel.revokedBy(keyOf(VICTIM))).toEqual([epoch.id])
    const back = history.admit(1, VICTIM, [])
    await kernel.ingest([back], undefined)
    expect(kernel.revokedBy(keyOf(VICTIM))).toEqual([])
    await kernel.submit(appOp('set back 1'))
    await kernel.close()
    const again = await openVictim(history, [], directory)
    expect(readdirSync(directory).filter((name) => name.startsWith('remov'))).toEqual([])
    await again.kernel.close()
  })

  test('ends where a record comes that voids the removal, and what it cut counts again', async () => {
    const history = createHistory()
    const void_ = history.remove(1, 2, history.start)
    const apart = history.write(VICTIM, 'set apart 1', history.start)
    const { kernel } = await openVictim(history, [...history.start, apart])
    const liar = createHistory()
    const epoch = liar.remove(2, VICTIM, liar.start, { acks: [1, 4, 5] })
    expect(await show(kernel, await foundationAt(liar, epoch))).toBe(true)
    expect(kernel.excluded(10)).toHaveLength(1)
    await kernel.ingest([void_], undefined)
    expect(kernel.removal()).toBe(undefined)
    expect(kernel.excluded(10)).toEqual([])
    await kernel.submit(appOp('set mine 1'))
    await kernel.close()
  })
})

describe('what shows no removal', () => {
  test('is a foundation in which there is none, or it was undone', async () => {
    const history = createHistory()
    const other = history.remove(1, 4, history.start, { acks: [2, 3, 5] })
    const victim = await openVictim(history, history.start)
    expect(await show(victim.kernel, await foundationAt(history, other))).toEqual({ code: 'not_removed' })
    const { history: second, known, epoch } = removedAway()
    const back = second.admit(1, VICTIM, [epoch])
    const later = second.remove(2, 5, [back], { acks: [1, 3, 4] })
    expect(await show(victim.kernel, await foundationAt(second, later))).toEqual({ code: 'not_removed' })
    expect(known.length).toBeGreaterThan(history.start.length)
    await expectIn(victim)
  })

  test('is one that is older than what is here, where the removal was undone', async () => {
    const { history, epoch } = removedAway()
    const items = await foundationAt(history, epoch)
    history.admit(1, VICTIM, [epoch])
    const victim = await openVictim(history, history.all)
    expect(await show(victim.kernel, items)).toBe(false)
    await expectIn(victim)
  })

  test('is one by a peer that a senior has removed, by what is here', async () => {
    const history = createHistory()
    const removal = history.remove(1, 2, history.start)
    const victim = await openVictim(history, [...history.start, removal])
    const liar = createHistory()
    const epoch = liar.remove(2, VICTIM, liar.start, { acks: [1, 4, 5] })
    expect(await show(victim.kernel, await foundationAt(liar, epoch))).toBe(false)
    await expectIn(victim)
  })

  test('is one by a peer that is no admin, or none at all', async () => {
    for (const author of [4, 9]) {
      const { history, known, epoch } = removedAway()
      const items = await foundationAt(history, epoch)
      const victim = await openVictim(history, known)
      const forged = items.map((item): FoundationItem => {
        if (item.kind !== 'spine' || !equalBytes(item.record.bytes, epoch.bytes)) return item
        return { ...item, record: resigned(epoch, signerOf(author)) }
      })
      expect(await show(victim.kernel, forged)).toMatchObject({ code: expect.stringMatching(/misplaced|base_invalid/) })
      await expectIn(victim)
    }
  })

  test('is one that too few vouch for, or others than those who have to', async () => {
    const { history, known, epoch } = removedAway()
    const items = (await foundationAt(history, epoch)).filter(({ kind }) => kind !== 'ack')
    const victim = await openVictim(history, known)
    const [first] = acks(epoch, items)
    assert(first !== undefined, 'somebody vouches')
    for (const vouchers of [[], [first]]) {
      expect(await show(victim.kernel, [...items, ...vouchers])).toEqual({ code: 'no_quorum' })
    }
    const stranger: FoundationItem = {
      kind: 'ack',
      ack: first.kind === 'ack' ? resigned(first.ack, signerOf(9)) : expect.unreachable(),
    }
    expect(await show(victim.kernel, [...items, first, stranger])).toEqual({ code: 'not_authentic' })
    await expectIn(victim)
  })

  test('is one that nobody vouches for, unless the author of its epoch shows it itself', async () => {
    const { history, removal, known, later } = admittedInVain()
    const isNoAck = ({ kind }: FoundationItem): boolean => kind !== 'ack'
    const items = (await foundationAt(history, later)).filter(isNoAck)
    const victim = await openVictim(history, known)
    for (const from of [undefined, keyOf(2), keyOf(4)]) {
      expect(await show(victim.kernel, items, from)).toMatchObject({ code: 'no_quorum' })
    }
    // Those who signed have not signed the same: nobody's word is enough.
    const [first, second] = [vouchersOf(later, items)[0], vouchersOf(later, items, 8)[1]]
    assert(first !== undefined && second !== undefined, 'there are two')
    const diverged = [first, second].map((ack): FoundationItem => ({ kind: 'ack', ack }))
    expect(await show(victim.kernel, [...items, ...diverged], keyOf(1))).toMatchObject({ code: 'diverged' })
    expect(victim.kernel.revokedBy(keyOf(VICTIM))).toEqual([])
    expect(await show(victim.kernel, items, keyOf(1))).toBe(true)
    expect(victim.kernel.removal()).toEqual({ epoch: removal.id, author: keyOf(1) })
    await victim.kernel.close()
  })

  test('is one of another store, one that was cut short, and what is no item', async () => {
    const { history, known, epoch } = removedAway()
    const items = await foundationAt(history, epoch)
    const victim = await openVictim(history, known)
    const elsewhere = genesisOf(signerOf(1), 2)
    const { kernel } = await openVictim({ storeId: genesisStoreId(elsewhere) }, [elsewhere])
    expect(await show(kernel, items)).toEqual({ code: 'wrong_store' })
    await kernel.close()
    for (let length = 0; length < items.length - acks(epoch, items).length; length += 1) {
      expect(await show(victim.kernel, items.slice(0, length))).not.toBe(true)
    }
    const proof = victim.kernel.openRemovalProof()
    expect(await proof?.add([Uint8Array.of(0xff)])).toEqual({ code: 'malformed' })
    proof?.close()
    await expectIn(victim)
  })

  test('is an epoch that is put in the past of what is here', async () => {
    const history = createHistory()
    const writes = [1, 2, 3].map((n) => history.write(2, `set w${n} 1`, history.start))
    const base = history.remove(1, 5, [...history.start, ...writes.slice(2)], { acks: [2, 3, 4] })
    const items = await foundationAt(history, base)
    const victim = await openVictim(history, history.all)
    expect(await show(victim.kernel, withForged(items, writes))).toEqual({ code: 'contradicts' })
    await expectIn(victim)
  })

  test('is a record in another place than it has', async () => {
    const { history, known, epoch } = removedAway()
    const items = await foundationAt(history, epoch)
    const victim = await openVictim(history, known)
    const moved = items.map((item): FoundationItem => {
      if (item.kind !== 'spine' || !equalBytes(item.record.bytes, epoch.bytes)) return item
      return { ...item, place: { ...item.place, generation: item.place.generation + 5 } }
    })
    expect(await show(victim.kernel, moved)).toEqual({ code: 'misplaced' })
    await expectIn(victim)
  })
})

test('one is taken in at a time, what did not end leaves nothing, and none once the store is closed', async () => {
  const { history, known, epoch } = removedAway()
  const items = await foundationAt(history, epoch)
  const { kernel, directory } = await openVictim(history, known)
  const proof = kernel.openRemovalProof()
  expect(kernel.openRemovalProof()).toBe(undefined)
  expect(await proof?.add(items.slice(0, 4).map(encodeFoundationItem))).toBe(undefined)
  expect(existsSync(join(directory, 'removing'))).toBe(true)
  proof?.close()
  proof?.close()
  expect(existsSync(join(directory, 'removing'))).toBe(false)
  const other = kernel.openRemovalProof()
  expect(await other?.add(items.slice(0, 4).map(encodeFoundationItem))).toBe(undefined)
  await kernel.close()
  expect(existsSync(join(directory, 'removing'))).toBe(false)
  expect(kernel.openRemovalProof()).toBe(undefined)
})

/** The same by somebody else. */
function resigned(signed: SignedIntention, signer: Signer): ParsedIntention {
  const parsed = parse(signed)
  const intention = { ...parsed.intention, author: signer.publicKey }
  return signIntention(crypto, signer, { intention, close: true })
}

/** Has 2 remove the victim in the place of its second write, which is gone. */
function withForged(
  items: readonly FoundationItem[],
  [, second, third]: readonly ParsedIntention[],
): readonly FoundationItem[] {
  assert(second !== undefined && third !== undefined, 'it wrote')
  const op = removeOp([{ peer: keyOf(VICTIM), remains: 'none' }], { seq: 1n, requiredAcks: [1, 4, 5].map(keyOf) })
  const intention = { ...second.intention, ops: encodeUniversalOp(op) }
  const record = signIntention(crypto, signerOf(2), { intention, close: true })
  const at = items.findIndex((item) => item.kind === 'anchor' && equalBytes(item.id, third.id))
  const end = items[at]
  assert(end?.kind === 'anchor', 'the lane ends with a place')
  const { lane, position, generation } = end.place
  const base = items.findLast((item) => item.kind === 'spine')
  assert(base?.kind === 'spine', 'the base is a record')
  // As the base has it, but for itself and the write that follows.
  const vector = base.place.vector.map(
    ([each, last]) => [each, each === lane || each === base.place.lane ? last - 1 : last] as const,
  )
  const place = { lane, position: position - 1, generation: generation - 1, vector }
  return [...items.slice(0, at), { kind: 'spine', record, place }, ...items.slice(at)]
}

function parse(signed: SignedIntention): ParsedIntention {
  const parsed = parseSignedIntention(crypto, signed)
  assert(parsed.ok, 'it is an intention')
  return parsed.value
}
