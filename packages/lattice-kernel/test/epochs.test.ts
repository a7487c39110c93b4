/** Epochs as one kernel makes, judges, counts and remembers them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { create } from '@bufbuild/protobuf'
import {
  assert,
  equalBytes,
  type IntentionId,
  type KnownOp,
  type ParsedIntention,
  type PublicKey,
  toHash,
  toHex,
  toIntentionId,
} from '@lattice/model'
import { createManualClock } from '@lattice/model/testing'
import { system, weaver } from '@lattice/proto'
import type { StoragePoint } from '@lattice/storage'
import { afterEach, describe, expect, test } from 'vitest'
import { ACK_DEPS_MAX } from '../src/acknowledger.ts'
import { EPOCH_ACK_DELAY_MS } from '../src/epoch-acknowledger.ts'
import { type Kernel, type KernelEvent, peekLog, verifyLog } from '../src/index.ts'
import { changeTable } from './damage.ts'
import {
  at,
  createTestStore,
  crypto,
  openTestKernel,
  removeDirectories,
  signerOf,
  temporaryDirectory,
  type TestKernel,
  turnScheduler,
  write,
} from './harness.ts'
import { admitOp, createModelPolicy } from './model-policy.ts'
import { done, openIn, timeline } from './timeline.ts'
import { appOp, openAuthority } from './tracking-projector.ts'

afterEach(removeDirectories)

const [creator, anna, bert] = [signerOf(1), signerOf(2), signerOf(3)]

type EpochStore = TestKernel & { readonly genesis: ParsedIntention }

async function createEpochStore(options: Parameters<typeof createTestStore>[0] = {}): Promise<EpochStore> {
  return createTestStore({ membership: createModelPolicy(), ...options })
}

/** A store whose other peers are admitted and that has its first epoch. */
async function createSharedStore(
  peers: readonly PublicKey[],
  options = {},
): Promise<EpochStore & { first: IntentionId }> {
  const store = await createEpochStore(options)
  for (const peer of peers) await store.kernel.submit(admitOp(peer))
  return { ...store, first: await store.kernel.submitEpoch({ kind: 'initial' }) }
}

function epochOp(
  seq: bigint,
  requiredAcks: readonly Uint8Array[],
  cause: weaver.EpochCause['cause'] = { case: 'prune', value: create(weaver.PruneCauseSchema) },
): KnownOp {
  return {
    kind: 'epoch',
    schema: 0,
    value: create(weaver.EpochOpSchema, { seq, requiredAcks: [...requiredAcks], cause: { cause } }),
  }
}

function ackOp(epoch: Uint8Array, stateRoot: Uint8Array = new Uint8Array()): KnownOp {
  return {
    kind: 'epochAck',
    schema: 0,
    value: create(weaver.EpochAckOpSchema, { epoch, stateRoot, chainEnds: new Uint8Array(32) }),
  }
}

const ACK: KnownOp = { kind: 'ack', schema: 0, value: create(weaver.AckOpSchema) }
const hex = (ids: readonly Uint8Array[]): readonly string[] => ids.map(toHex)
const statusOf = (kernel: Kernel, id: IntentionId) => kernel.epochs().find((epoch) => toHex(epoch.id) === toHex(id))
const parsedOf = (kernel: Kernel, id: IntentionId): ParsedIntention => {
  const stored = kernel.get(id)
  assert(stored !== undefined, 'it is here')
  return stored.parsed
}
const rootOf = (fill: number) => toHash(new Uint8Array(32).fill(fill))

describe('an epoch', () => {
  test('cites the genesis, the heads and the frontier, and names who has to acknowledge it', async () => {
    const { kernel, genesis, first } = await createSharedStore([anna.publicKey, bert.publicKey])
    const his = write(anna, { prev: genesis.id, at: at(2000) })
    await kernel.ingest([his], anna.publicKey)
    await kernel.submit(appOp('mine'))
    const second = await kernel.submitEpoch({ kind: 'prune' })
    const { intention, op, signature } = parsedOf(kernel, second)
    expect(hex(intention.causalDeps)).toEqual(hex([genesis.id, first, his.id]).toSorted())
    expect(signature).toHaveLength(64)
    assert(op.kind === 'epoch', 'it is an epoch')
    expect(op.value.seq).toBe(1n)
    expect(hex(op.value.requiredAcks)).toEqual(hex([anna.publicKey, bert.publicKey]).toSorted())
    expect(kernel.epochs()).toMatchObject([
      { id: second, seq: 1n, cause: { kind: 'prune' }, fault: undefined, isHead: true, isSettled: false },
      { id: first, seq: 0n, cause: { kind: 'initial' }, fault: undefined, isHead: false },
    ])
    expect(hex(kernel.digest().epochHeads)).toEqual(hex([second]))
    const third = await kernel.submitEpoch({ kind: 'prune', below: first })
    expect(statusOf(kernel, third)).toMatchObject({ cause: { kind: 'prune', below: first }, fault: undefined })
    await kernel.close()
  })

  test.each([
    ['by who is no admin', anna, 'NOT_ADMIN', { kind: 'prune' }],
    ['by who is no peer', bert, 'NOT_ADMITTED', { kind: 'prune' }],
    [
      'about who is no peer',
      creator,
      'PEER_NOT_FOUND',
      { kind: 'membership', removals: [{ peer: bert.publicKey, remains: 'none' }] },
    ],
    ['that removes nobody', creator, 'WRONG_STATE', { kind: 'membership', removals: [] }],
    ['to prune below none', creator, 'WRONG_STATE', { kind: 'prune', below: toIntentionId(new Uint8Array(32)) }],
    ['that joins nothing', creator, 'WRONG_STATE', { kind: 'join_of_epochs' }],
  ] as const)('%s is refused, and leaves nothing', async (_name, signer, code, wish) => {
    const made = await createSharedStore([anna.publicKey])
    const history = made.kernel.scanWitness(1, 100).map(({ parsed }) => parsed)
    const { kernel } = await openTestKernel({ storeId: made.kernel.storeId, signer, membership: createModelPolicy() })
    await kernel.ingest(history, undefined)
    const before = kernel.digest()
    await expect(kernel.submitEpoch(wish)).rejects.toMatchObject({ code })
    expect(kernel.digest()).toEqual(before)
    await kernel.close()
    await made.kernel.close()
  })

  test('is refused where nothing is known of peers, and never comes by way of a write', async () => {
    const { kernel } = await createTestStore()
    await expect(kernel.submitEpoch({ kind: 'prune' })).rejects.toMatchObject({ code: 'NOT_SUPPORTED' })
    await expect(kernel.submit(epochOp(0n, []))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(kernel.stats().witnessCount).toBe(1)
    await kernel.close()
  })

  test('over a frontier that is wider than it can cite follows acks that fold it', async () => {
    const policy = createModelPolicy()
    let isLying = true
    const permit: typeof policy.permit = (...about) => {
      const permission = policy.permit(...about)
      return isLying && permission.kind === 'allowed' ? { ...permission, requiredAcks: [anna.publicKey] } : permission
    }
    const { kernel, genesis } = await createEpochStore({ membership: { ...policy, permit } })
    // One author whose chain forks at its beginning.
    const loose = Array.from({ length: ACK_DEPS_MAX + 10 }, (_, n) => write(anna, { prev: genesis.id, at: at(1, n) }))
    await kernel.ingest(loose, undefined)
    // What turns out not to count leaves no epoch; the acks stand, and are durable.
    await expect(kernel.submitEpoch({ kind: 'initial' })).rejects.toMatchObject({
      code: 'WRONG_STATE',
      detail: { fault: 'required_acks_wrong' },
    })
    expect(kernel.history(undefined, 2).map(({ parsed }) => parsed.op.kind)).toEqual(['ack', 'appData'])
    isLying = false
    const id = await kernel.submitEpoch({ kind: 'initial' })
    expect(hex(kernel.frontier())).toEqual(hex([id]))
    expect(kernel.epochs()).toMatchObject([{ id, fault: undefined }])
    expect(kernel.history(undefined, 3).map(({ parsed }) => parsed.op.kind)).toEqual(['epoch', 'ack', 'appData'])
    await kernel.close()
  })
})

describe('an epoch that a write calls for', () => {
  test.each(['submit', 'submitMany'] as const)('is made once, right after it, in the same commit (%s)', async (how) => {
    const commits: number[] = []
    const { kernel, projector } = await createEpochStore()
    kernel.onWitnessed(({ intentions }) => commits.push(intentions.length))
    projector.epoch = { kind: 'initial' }
    const admit = { op: admitOp(anna.publicKey) }
    if (how === 'submit')
      await Promise.all([kernel.submit(appOp('a')), kernel.submit(admit.op), kernel.submit(appOp('b'))])
    else await kernel.submitMany([{ op: appOp('a') }, admit, { op: appOp('b') }])
    expect(kernel.scanWitness(2, 10).map(({ parsed }) => parsed.op.kind)).toEqual([
      'appData',
      'system',
      'epoch',
      'appData',
    ])
    expect(commits).toEqual([4])
    expect(kernel.epochs()).toMatchObject([{ seq: 0n, cause: { kind: 'initial' }, fault: undefined, isHead: true }])
    await kernel.submit(admitOp(bert.publicKey))
    expect(kernel.epochs()).toHaveLength(1)
    await kernel.rebuild()
    expect(kernel.epochs()).toHaveLength(1)
    await kernel.close()
  })

  test('is not made where nothing is known of peers', async () => {
    const { kernel, projector } = await createTestStore()
    projector.epoch = { kind: 'initial' }
    await kernel.submit(admitOp(anna.publicKey))
    expect(kernel.stats().witnessCount).toBe(2)
    await kernel.close()
  })

  test('makes no run too long', async () => {
    const { kernel, projector } = await createEpochStore()
    projector.epoch = { kind: 'initial' }
    const writes = Array.from({ length: 255 }, async (_, n) => kernel.submit(appOp(`${n}`)))
    await Promise.all([...writes, kernel.submit(admitOp(anna.publicKey))])
    expect(kernel.epochs()).toHaveLength(1)
    const other = await openTestKernel({ storeId: kernel.storeId, membership: createModelPolicy(), signer: anna })
    const history = kernel.scanWitness(1, 1000).map(({ parsed }) => parsed)
    const outcomes = await other.kernel.ingest(history, undefined)
    expect(outcomes.filter(({ kind }) => kind !== 'witnessed')).toEqual([])
    // Whoever takes the write in makes none of it.
    other.projector.epoch = { kind: 'initial' }
    expect(other.kernel.digest()).toEqual(kernel.digest())
    await kernel.close()
    await other.kernel.close()
  })

  test('and cannot be made leaves the write as it is', async () => {
    const { kernel, projector } = await createEpochStore()
    projector.epoch = { kind: 'join_of_epochs' }
    const id = await kernel.submit(admitOp(anna.publicKey))
    expect(hex(kernel.frontier())).toEqual(hex([id]))
    expect(kernel.epochs()).toEqual([])
    await kernel.submit(appOp('on'))
    expect((await kernel.verify({ full: true })).problems).toEqual([])
    await kernel.close()
  })

  test.each<StoragePoint>(['write', 'commit', 'committed'])(
    'is there with it or not at all when the commit fails at %s',
    async (point) => {
      let isArmed = false
      const hooks = {
        at: (reached: StoragePoint, path: string) => {
          if (!isArmed || reached !== point || !path.endsWith('log.db')) return
          isArmed = false
          throw new Error('power lost')
        },
      }
      const { kernel, projector, options } = await createEpochStore({ storageHooks: hooks })
      projector.epoch = { kind: 'initial' }
      isArmed = true
      await expect(kernel.submit(admitOp(anna.publicKey))).rejects.toThrow('power lost')
      const kept = point === 'committed' ? 1 : 0
      expect(kernel.epochs()).toHaveLength(kept)
      expect(kernel.stats().witnessCount).toBe(1 + 2 * kept)
      await kernel.submit(admitOp(anna.publicKey))
      expect(kernel.epochs()).toHaveLength(1)
      const before = kernel.epochs()
      await kernel.close()
      const again = await openTestKernel(options)
      expect(again.kernel.epochs()).toEqual(before)
      await again.kernel.close()
    },
  )
})

describe('a hostile epoch', () => {
  const prune = { case: 'prune', value: create(weaver.PruneCauseSchema) } as const
  const removal = (keys: readonly PublicKey[]): weaver.EpochCause['cause'] => ({
    case: 'membership',
    value: create(weaver.MembershipCauseSchema, { removals: keys.map((peer) => ({ peer })) }),
  })
  const [low, high] = [anna.publicKey, bert.publicKey].toSorted((a, b) => (toHex(a) < toHex(b) ? -1 : 1))
  assert(low !== undefined && high !== undefined, 'there are two')

  test.each([
    ['with a number too high', 'seq_wrong', creator, epochOp(2n, [low, high], prune)],
    ['with the greatest number there is', 'seq_wrong', creator, epochOp(2n ** 64n - 1n, [low, high], prune)],
    ['with unsorted keys', 'required_acks_wrong', creator, epochOp(1n, [high, low], prune)],
    ['with a key too few', 'required_acks_wrong', creator, epochOp(1n, [low], prune)],
    ['with what is no key', 'required_acks_wrong', creator, epochOp(1n, [low, high, new Uint8Array(5)], prune)],
    [
      'with thousands of keys',
      'required_acks_wrong',
      creator,
      epochOp(
        1n,
        Array.from({ length: 3800 }, () => low),
        prune,
      ),
    ],
    [
      'to prune below what is no epoch',
      'below_wrong',
      creator,
      epochOp(1n, [low, high], {
        case: 'prune',
        value: create(weaver.PruneCauseSchema, { below: new Uint8Array(32) }),
      }),
    ],
    ['by who is no admin', 'not_entitled', anna, epochOp(1n, [creator.publicKey, bert.publicKey], prune)],
    ['that removes twice', 'removals_malformed', creator, epochOp(1n, [high], removal([low, low]))],
    ['of no kind', undefined, creator, epochOp(1n, [low, high], { case: undefined })],
  ] as const)('%s is witnessed, listed with its reason, and has no effect', async (_name, fault, signer, op) => {
    const made = await createSharedStore([anna.publicKey, bert.publicKey])
    const { first, genesis } = made
    const history = made.kernel.scanWitness(1, 100).map(({ parsed }) => parsed)
    const { kernel } = await openTestKernel({
      storeId: made.kernel.storeId,
      signer: bert,
      membership: createModelPolicy(),
    })
    await kernel.ingest(history, undefined)
    const prev = signer === creator ? first : genesis.id
    const bad = write(signer, { prev, deps: [first], at: at(5000), op })
    expect(await kernel.ingest([bad], undefined)).toMatchObject([{ kind: 'witnessed' }])
    expect(statusOf(kernel, bad.id)?.fault).toBe(fault)
    if (fault !== undefined) {
      expect(hex(kernel.digest().epochHeads)).toEqual(hex([first]))
      expect(statusOf(kernel, bad.id)).toMatchObject({
        isHead: false,
        isSettled: false,
        isFinal: false,
        waitingFor: [],
      })
      // And none for the next: its number goes on from the valid ones.
      const next = write(creator, {
        prev: signer === creator ? bad.id : first,
        deps: [bad.id],
        at: at(6000),
        op: epochOp(1n, [low, high], prune),
      })
      await kernel.ingest([next], undefined)
      expect(statusOf(kernel, next.id)?.fault).toBeUndefined()
    }
    await kernel.close()
    await made.kernel.close()
  })

  test('without the heads among its deps is a concurrent one', async () => {
    const { kernel, first, genesis } = await createSharedStore([anna.publicKey])
    // The creator's chain forks before the first epoch.
    const admission = kernel.scanWitness(2, 1)[0]?.parsed
    assert(admission !== undefined, 'anna was admitted')
    const other = write(creator, {
      prev: admission.id,
      deps: [genesis.id],
      at: at(4000),
      op: epochOp(0n, [anna.publicKey], prune),
    })
    await kernel.ingest([other], undefined)
    expect(statusOf(kernel, other.id)?.fault).toBeUndefined()
    expect(hex(kernel.digest().epochHeads)).toEqual(hex([first, other.id]).toSorted())
    // One's own fork is joined like any other.
    const join = await kernel.submitEpoch({ kind: 'join_of_epochs' })
    expect(hex(kernel.digest().epochHeads)).toEqual(hex([join]))
    expect(hex(parsedOf(kernel, join).intention.causalDeps)).toEqual(expect.arrayContaining([...hex([other.id])]))
    expect(statusOf(kernel, join)).toMatchObject({ seq: 1n, fault: undefined })
    await kernel.close()
  })
})

describe('settlement', () => {
  test('waits for those an epoch names, whatever they write, and is told once', async () => {
    const { kernel, genesis, first } = await createSharedStore([anna.publicKey, bert.publicKey])
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    expect(kernel.digest().settledSeq).toBe(0)
    expect(hex(statusOf(kernel, first)?.waitingFor ?? [])).toEqual(hex([anna.publicKey, bert.publicKey]).toSorted())
    const his = write(anna, { prev: genesis.id, deps: [first], at: at(5000), op: ackOp(first) })
    await kernel.ingest([his], undefined)
    expect(hex(statusOf(kernel, first)?.waitingFor ?? [])).toEqual(hex([bert.publicKey]))
    expect(hex(statusOf(kernel, first)?.acked ?? [])).toEqual(hex([anna.publicKey]))
    // At any distance, and by anything.
    const hers = write(bert, { prev: genesis.id, deps: [his.id], at: at(6000) })
    await kernel.ingest([hers], undefined)
    expect(statusOf(kernel, first)).toMatchObject({ isSettled: true, waitingFor: [], isFinal: false, roots: [] })
    expect(kernel.digest().settledSeq).toBe(1)
    await kernel.submit(appOp('more'))
    expect(events.filter(({ kind }) => kind === 'epoch_settled')).toEqual([
      { kind: 'epoch_settled', id: first, seq: 0n },
    ])
    await kernel.close()
  })

  test('shows what everybody who may write has seen, those too who came when it was made', async () => {
    const { kernel, genesis } = await createEpochStore()
    for (const peer of [anna, bert]) await kernel.submit(admitOp(peer.publicKey))
    const early = await kernel.submit(appOp('early'))
    expect(kernel.seenByAll()(early)).toBe(false)
    const first = await kernel.submitEpoch({ kind: 'initial' })
    const late = await kernel.submit(appOp('late'))
    const ack = (signer: typeof anna): ParsedIntention =>
      write(signer, { prev: genesis.id, deps: [first], at: at(5000), op: ackOp(first) })
    await kernel.ingest([ack(anna)], undefined)
    expect(kernel.seenByAll()(early)).toBe(false)
    await kernel.ingest([ack(bert)], undefined)
    expect([early, late].map(kernel.seenByAll())).toEqual([true, false])
    // It does not name him, and what he has written he wrote without.
    const third = signerOf(4)
    const admission = await kernel.submit(admitOp(third.publicKey))
    const his = write(third, { prev: genesis.id, deps: [admission], at: at(6000) })
    expect(kernel.seenByAll()(early)).toBe(false)
    expect(statusOf(kernel, first)?.isSettled).toBe(true)
    await kernel.ingest([his], undefined)
    expect(kernel.seenByAll()(early)).toBe(true)
    await kernel.close()
  })

  test('tells whom the newest epoch waits for, once whenever that is somebody else', async () => {
    const { kernel, genesis, first } = await createSharedStore([anna.publicKey, bert.publicKey])
    const told: string[] = []
    kernel.onEvent((event) => {
      if (event.kind === 'epoch_settled') told.push(`${event.seq} settled`)
      if (event.kind !== 'epoch_waiting') return
      expect(event.total).toBe(event.waitingFor.length)
      told.push(`${event.seq} ${hex(event.waitingFor).join(' ')}`)
    })
    await kernel.submit(appOp('mine'))
    expect(told.splice(0)).toEqual([])
    const his = write(anna, { prev: genesis.id, deps: [first], at: at(5000), op: ackOp(first) })
    const more = write(anna, { prev: his.id, at: at(5001) })
    for (const one of [his, more]) await kernel.ingest([one], undefined)
    expect(told.splice(0)).toEqual([`0 ${toHex(bert.publicKey)}`])
    const second = await kernel.submitEpoch({ kind: 'prune' })
    expect(told.splice(0)).toEqual([`1 ${hex([anna.publicKey, bert.publicKey]).toSorted().join(' ')}`])
    // Of one without effect nothing is said, whatever number it gives itself; it has seen what it cites all the same.
    const op = epochOp(2n ** 64n - 1n, [bert.publicKey])
    const forged = write(anna, { prev: more.id, deps: [second], at: at(5002), op })
    await kernel.ingest([forged], undefined)
    expect(statusOf(kernel, forged.id)?.fault).toBe('seq_wrong')
    expect(told.splice(0)).toEqual([`1 ${toHex(bert.publicKey)}`])
    await kernel.ingest([write(bert, { prev: genesis.id, deps: [forged.id], at: at(6000) })], undefined)
    expect(told.splice(0)).toEqual(['0 settled', '1 settled'])
    await kernel.close()
  })

  test('is acknowledged once this node may write, also where another store says so', async () => {
    const { kernel, first } = await createSharedStore([anna.publicKey])
    const scheduler = timeline()
    let isAdmitted = false
    const authority = {
      ...openAuthority,
      admits: (_: unknown, key: PublicKey) => isAdmitted || !equalBytes(key, anna.publicKey),
    }
    const about = { storeId: kernel.storeId, signer: anna, membership: createModelPolicy(), authority }
    const { kernel: hers } = await openIn(scheduler, about)
    const all = kernel.scanWitness(1, 100).map(({ parsed }) => parsed)
    await done(scheduler, hers.ingest(all, undefined))
    const isAcked = (): boolean => statusOf(hers, first)?.isSettled === true
    await scheduler.advanceAsync(100 * EPOCH_ACK_DELAY_MS)
    expect(isAcked()).toBe(false)
    isAdmitted = true
    await done(scheduler, hers.recheckFloating())
    await scheduler.advanceAsync(EPOCH_ACK_DELAY_MS)
    expect(isAcked()).toBe(true)
    await done(scheduler, hers.close())
    await kernel.close()
  })

  test('waits for nobody who was removed since', async () => {
    const { kernel, genesis, first } = await createSharedStore([anna.publicKey, bert.publicKey])
    await kernel.ingest([write(anna, { prev: genesis.id, deps: [first], at: at(5000), op: ACK })], undefined)
    expect(kernel.digest().settledSeq).toBe(0)
    const removal = await kernel.submitEpoch({
      kind: 'membership',
      removals: [{ peer: bert.publicKey, remains: 'none' }],
    })
    expect(statusOf(kernel, first)?.isSettled).toBe(true)
    expect(kernel.digest().settledSeq).toBe(1)
    expect(hex(statusOf(kernel, removal)?.required ?? [])).toEqual(hex([anna.publicKey]))
    expect(statusOf(kernel, removal)?.cause).toEqual({
      kind: 'membership',
      removals: [{ peer: bert.publicKey, remains: 'none' }],
    })
    await kernel.close()
  })

  test.each([
    ['with two roots that agree', [1, 1], { isFinal: true, isDiverged: false }],
    ['with one root alone', [1, undefined], { isFinal: false, isDiverged: false }],
    ['with roots that differ', [1, 2], { isFinal: false, isDiverged: true }],
  ] as const)('is final %s', async (_name, [annas, berts], expected) => {
    const { kernel, genesis, first } = await createSharedStore([anna.publicKey, bert.publicKey])
    const acks = [
      write(anna, { prev: genesis.id, deps: [first], at: at(5000), op: ackOp(first, annas && rootOf(annas)) }),
      write(bert, { prev: genesis.id, deps: [first], at: at(5000), op: ackOp(first, berts && rootOf(berts)) }),
      // Who was not asked vouches for nothing; nor does an ack that has not seen the epoch.
      write(signerOf(9), { prev: genesis.id, deps: [first], at: at(5000), op: ackOp(first, rootOf(7)) }),
    ]
    await kernel.ingest(acks, undefined)
    expect(statusOf(kernel, first)).toMatchObject({ isSettled: true, ...expected })
    await kernel.close()
  })

  test('is no matter of acks that are forged, malformed, or contradict themselves', async () => {
    const { kernel, genesis, first, options } = await createSharedStore([anna.publicKey])
    const unseen = write(anna, { prev: genesis.id, deps: [genesis.id], at: at(5000), op: ackOp(first, rootOf(1)) })
    const strange = write(anna, { prev: unseen.id, at: at(5001), op: ackOp(new Uint8Array(3), rootOf(1)) })
    const unknown = write(anna, { prev: strange.id, at: at(5002), op: ackOp(rootOf(5), rootOf(1)) })
    await kernel.ingest([unseen, strange, unknown], undefined)
    expect(statusOf(kernel, first)).toMatchObject({ isSettled: false, roots: [] })
    const long = write(anna, { prev: unknown.id, deps: [first], at: at(6000), op: ackOp(first, new Uint8Array(100)) })
    await kernel.ingest([long], undefined)
    expect(statusOf(kernel, first)).toMatchObject({ isSettled: true, roots: [], isFinal: false })
    let prev = long.id
    for (let root = 1; root <= 4; root += 1) {
      const ack = write(anna, { prev, at: at(6000 + root), op: ackOp(first, rootOf(root)) })
      await kernel.ingest([ack], undefined)
      prev = ack.id
      // Whoever contradicts itself vouches for nothing, and stops nobody.
      const roots = root === 1 ? [{ author: anna.publicKey, root: rootOf(1) }] : []
      expect(statusOf(kernel, first)).toMatchObject({ roots, isDiverged: false })
    }
    expect(statusOf(kernel, first)).toMatchObject({ isSettled: true, isFinal: false })
    const before = kernel.epochs()
    await kernel.close()
    const again = await openTestKernel(options)
    expect(again.kernel.epochs()).toEqual(before)
    expect((await again.kernel.verify()).problems).toEqual([])
    await again.kernel.close()
  })
})

describe('the epoch book', () => {
  test('is there again after opening, without asking what epochs were anew', async () => {
    const store = await createSharedStore([anna.publicKey, bert.publicKey])
    await store.kernel.submitEpoch({ kind: 'membership', removals: [{ peer: bert.publicKey, remains: 'writer' }] })
    await store.kernel.submitEpoch({ kind: 'prune' })
    const before = store.kernel.epochs()
    await store.kernel.close()
    const membership = createModelPolicy()
    const again = await openTestKernel({ ...store.options, membership })
    expect(again.kernel.epochs()).toEqual(before)
    // Once for what all of them come to.
    expect(membership.resolved()).toBe(1)
    await again.kernel.close()
  })

  test('is made of a log that was written without one', async () => {
    const store = await createSharedStore([anna.publicKey])
    const before = store.kernel.epochs()
    await store.kernel.close()
    const { membership: _none, ...without } = store.options
    const blind = await openTestKernel(without)
    expect(blind.kernel.epochs()).toEqual([])
    const copy = await openTestKernel({ storeId: store.kernel.storeId, signer: anna })
    await copy.kernel.ingest(
      blind.kernel.scanWitness(1, 100).map(({ parsed }) => parsed),
      undefined,
    )
    await copy.kernel.close()
    await blind.kernel.close()
    const again = await openTestKernel({ ...copy.options, membership: createModelPolicy() })
    expect(again.kernel.epochs()).toEqual(before)
    await again.kernel.close()
  })

  test('is made of a log in its first form, and of one that is only read nothing is missing', async () => {
    const directory = temporaryDirectory()
    const database = new DatabaseSync(join(directory, 'log.db'))
    database.exec(readFileSync(new URL('fixtures/log-v1.sql', import.meta.url), 'utf8'))
    database.close()
    const found = peekLog(directory)
    assert(found !== undefined, 'there is a log')
    expect(found).toMatchObject({ schemaVersion: 1, witnessCount: 4 })
    const membership = createModelPolicy()
    const about = { directory, storeId: found.storeId, witnessKey: anna.publicKey, crypto, scheduler: turnScheduler }
    const report = await verifyLog({ ...about, clock: createManualClock({ wallMs: 0 }), membership })
    expect(report).toMatchObject({ outcome: 'sound', problems: [] })
    const { kernel, options } = await openTestKernel({ directory, storeId: found.storeId, signer: anna, membership })
    expect(kernel.epochs()).toMatchObject([{ seq: 0n, fault: undefined, isHead: true, isSettled: true }])
    expect((await kernel.verify({ full: true })).problems).toEqual([])
    await kernel.close()
    expect(peekLog(directory)?.schemaVersion).toBe(4)
    // Nothing was written, and yet it is not read through again.
    const after = new DatabaseSync(join(directory, 'log.db'))
    expect(after.prepare('SELECT seq FROM epoch_cursor').get()).toMatchObject({ seq: 4 })
    after.close()
    const again = await openTestKernel({ ...options, membership: createModelPolicy() })
    expect(again.kernel.epochs()).toHaveLength(1)
    await again.kernel.close()
  })

  test('is looked through by verify, and damage to it is named', async () => {
    const { kernel, options, directory } = await createSharedStore([anna.publicKey])
    expect((await kernel.verify({ full: true })).problems).toEqual([])
    await kernel.close()
    const look = async (): Promise<readonly string[]> => {
      const about = {
        directory,
        storeId: kernel.storeId,
        witnessKey: creator.publicKey,
        crypto,
        scheduler: turnScheduler,
      }
      const report = await verifyLog({ ...about, clock: options.clock, membership: createModelPolicy() })
      return report.problems.map(({ what }) => what)
    }
    expect(await look()).toEqual([])
    for (const [damage, mended, problem] of DAMAGES) {
      changeTable(directory, damage)
      expect(await look()).toEqual([problem])
      changeTable(directory, mended)
    }
    expect(await look()).toEqual([])
    expect(peekLog(directory)?.schemaVersion).toBe(4)
  })
})

const DAMAGES = [
  [
    'DELETE FROM epoch_records WHERE seq = 2',
    'INSERT INTO epoch_records VALUES (2, NULL)',
    'epochs: its records are not what the log says',
  ],
  [
    "UPDATE epoch_records SET fault = 'seq_wrong' WHERE seq = 3",
    'UPDATE epoch_records SET fault = NULL',
    'epochs: its records are not what the log says',
  ],
  ['INSERT INTO epoch_acks VALUES (2)', 'DELETE FROM epoch_acks', 'epochs: its acks are not what the log says'],
  [
    'INSERT INTO epoch_records VALUES (77, NULL)',
    'DELETE FROM epoch_records WHERE seq = 77',
    'epochs: record 77 does not decide about membership',
  ],
  ['UPDATE epoch_cursor SET seq = 99', 'UPDATE epoch_cursor SET seq = 3', 'epochs: it goes beyond the other indexes'],
] as const

test('roles of removals are told as they are', async () => {
  const { kernel } = await createSharedStore([anna.publicKey, bert.publicKey])
  const removals = [
    { peer: anna.publicKey, remains: 'reader' },
    { peer: bert.publicKey, remains: 'writer' },
  ] as const
  const id = await kernel.submitEpoch({ kind: 'membership', removals })
  const { op } = parsedOf(kernel, id)
  assert(op.kind === 'epoch' && op.value.cause?.cause.case === 'membership', 'it is about members')
  const told = op.value.cause.cause.value.removals.map(({ peer, remains }) => [toHex(peer), remains])
  expect(told).toEqual(
    [
      [toHex(anna.publicKey), system.Role.READER],
      [toHex(bert.publicKey), system.Role.WRITER],
    ].toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  )
  await kernel.close()
})
