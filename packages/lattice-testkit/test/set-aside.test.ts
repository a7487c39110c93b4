/** An epoch of a store below that names what never comes above: it holds up nothing for ever, and nobody's removal is undone. */
import { create } from '@bufbuild/protobuf'
import {
  createSigner,
  encodeUniversalOp,
  equalBytes,
  type IntentionId,
  type KeyPair,
  NO_HINTS,
  signIntention,
  sortDeps,
  type StoreId,
  toHex,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { system, weaver } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { codeOf, get, isAlone, keyOf, put, shareFamily } from './support.ts'

const crypto = await openCrypto()
const HOUR_MS = 3_600_000
/** Who signs what it likes. */
const LIAR = 2

/** Nodes 0 to 2 with a root and a store below it; nodes 0 and 1 are admins. */
async function family(seed: string) {
  let keyPair: KeyPair | undefined
  const mesh = await createSimMesh({
    seed,
    nodes: 3,
    wrapTransport: (wrapped) => {
      if (wrapped.index === LIAR) keyPair = wrapped.keyPair
      return wrapped.transport
    },
  })
  const { root, notes } = await shareFamily(mesh)
  await mesh.complete(mesh.store(0, root).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  for (const id of [root, notes]) await mesh.converge(id)
  if (keyPair === undefined) throw new Error('a node opens its transport')
  return { mesh, root, notes, keyPair }
}

/** The liar's: well-formed but for what it names. */
async function lie(
  { mesh, notes, keyPair }: Awaited<ReturnType<typeof family>>,
  cause: weaver.EpochCause['cause'],
): Promise<IntentionId> {
  const { kernel } = mesh.store(LIAR, notes)
  const own = kernel()
  const prev = own.tipOf(keyPair.publicKey) ?? own.storeId
  const seq = own.epochs().reduce((next, epoch) => (epoch.seq >= next ? epoch.seq + 1n : next), 0n)
  const { hlc } = own.stats()
  const signed = signIntention(crypto, createSigner(crypto, keyPair), {
    intention: {
      author: keyPair.publicKey,
      timestamp: { wall: Math.max(hlc.wall, own.time().nowMs), counter: hlc.counter + 1 },
      storePrev: prev,
      causalDeps: sortDeps(
        [own.storeId, ...own.digest().epochHeads, ...own.frontier()].filter((id) => !equalBytes(id, prev)),
      ),
      hints: NO_HINTS,
      ops: encodeUniversalOp({
        kind: 'epoch',
        schema: 0,
        value: create(weaver.EpochOpSchema, { seq, requiredAcks: [], cause: { cause } }),
      }),
    },
    close: true,
  })
  const [outcome] = await mesh.complete(own.ingest([signed], undefined))
  expect(outcome?.kind).toBe('witnessed')
  await mesh.converge(notes)
  return signed.id
}

const namingNothing = (store: StoreId, fill: number): weaver.EpochCause['cause'] => ({
  case: 'parent',
  value: create(weaver.ParentCauseSchema, { store, epoch: new Uint8Array(32).fill(fill) }),
})

const statusOf = (mesh: SimMesh, index: number, id: StoreId, epoch: IntentionId) =>
  mesh
    .store(index, id)
    .kernel()
    .epochs()
    .find((each) => equalBytes(each.id, epoch))

/** What whoever follows an epoch is told of why it has no effect, up to the end. */
async function faultsTold(mesh: SimMesh, index: number, id: StoreId, epoch: IntentionId) {
  const told = new Set<string | undefined>()
  for await (const { fault } of mesh.store(index, id).followEpoch(epoch, new AbortController().signal)) told.add(fault)
  return [...told]
}

/** An epoch made now by node 0 is final on all of these. */
async function expectFinal(mesh: SimMesh, id: StoreId, indices: readonly number[]): Promise<void> {
  const epoch = await mesh.complete(mesh.store(0, id).kernel().submitEpoch({ kind: 'initial' }))
  await mesh.run(() => indices.every((index) => statusOf(mesh, index, id, epoch)?.isFinal === true), 'it is final')
  const roots = indices.flatMap((index) => statusOf(mesh, index, id, epoch)?.roots.map(({ root }) => toHex(root)) ?? [])
  expect(new Set(roots).size).toBe(1)
}

test('an epoch that names one that never comes is set aside after a while, and state is signed and cut again', async () => {
  const scene = await family('never comes')
  const { mesh, root, notes } = scene
  await using _ = mesh
  const lost = await lie(scene, namingNothing(root, 7))
  for (const index of [0, 1, 2]) expect(statusOf(mesh, index, notes, lost)?.fault).toBe('parent_unknown')
  const told = faultsTold(mesh, 2, notes, lost)
  // Nobody can tell what of the state is cut below this one.
  const held = await mesh.complete(mesh.store(0, notes).kernel().submitEpoch({ kind: 'initial' }))
  await mesh.time.pass(HOUR_MS / 2)
  expect(statusOf(mesh, 0, notes, held)).toMatchObject({ isSettled: true, isFinal: false, roots: [] })
  await mesh.time.pass(HOUR_MS)
  await mesh.converge(notes)
  for (const index of [0, 1, 2]) expect(statusOf(mesh, index, notes, lost)?.fault).toBe('set_aside')
  expect(await mesh.complete(told)).toEqual(['parent_unknown', 'set_aside'])
  const asides = mesh
    .store(1, notes)
    .kernel()
    .epochs()
    .filter(({ cause }) => cause.kind === 'set_aside')
  expect(asides).toMatchObject([{ cause: { epochs: [lost] }, fault: undefined }])
  await expectFinal(mesh, notes, [0, 1, 2])
  const epoch = await mesh.complete(mesh.store(1, notes).kernel().submitEpoch({ kind: 'prune' }))
  const isCut = (index: number): boolean => mesh.store(index, notes).kernel().base() !== undefined
  await mesh.run(() => [0, 1, 2].every(isCut), 'its history is cut')
  expect(mesh.store(2, notes).kernel().base()?.epoch).toEqual(epoch)
  await put(mesh, 2, notes, ['k', 'after'])
  await mesh.converge(notes)
  expect(await get(mesh, 0, notes, 'k')).toBe('after')
})

test('it is set aside at once by who prunes: without what it names nobody could cut there', async () => {
  const scene = await family('and pruned')
  const { mesh, root, notes } = scene
  await using _ = mesh
  const lost = await lie(scene, namingNothing(root, 7))
  await put(mesh, 1, notes, ['k', 'before'])
  await mesh.converge(notes)
  const { outcome, epoch } = await mesh.complete(mesh.store(0, notes).prune())
  expect(outcome).toBe('begun')
  const baseOf = (index: number) => mesh.store(index, notes).kernel().base()?.epoch
  await mesh.run(() => [0, 1, 2].every((index) => baseOf(index) !== undefined), 'its history is cut')
  for (const index of [0, 1, 2]) {
    expect(baseOf(index)).toEqual(epoch?.id)
    expect(statusOf(mesh, index, notes, lost)?.fault).toBe('set_aside')
  }
  await expectFinal(mesh, notes, [0, 1, 2])
  // Once is enough, also for the marks of a policy.
  await mesh.complete(mesh.store(1, notes).prune({ keepCount: 1 }))
  await mesh.complete(mesh.store(1, notes).prune())
  const asides = mesh
    .store(2, notes)
    .kernel()
    .epochs()
    .filter(({ cause }) => cause.kind === 'set_aside')
  expect(asides).toHaveLength(1)
})

test('who makes one is removed there all the same', async () => {
  const scene = await family('and removed')
  const { mesh, root, notes } = scene
  await using _ = mesh
  await lie(scene, namingNothing(root, 7))
  await mesh.complete(mesh.store(1, root).revokePeer(keyOf(mesh, LIAR)))
  const limited = (index: number): number => mesh.store(index, notes).kernel().membership().limited().length
  await mesh.run(() => [0, 1].every((index) => limited(index) === 1), 'the store below has followed')
  expect(await codeOf(mesh, put(mesh, LIAR, notes, ['k', 'too late']))).toBe('REVOKED')
  await mesh.time.pass(1.5 * HOUR_MS)
  for (const id of [root, notes]) await mesh.converge(id, [0, 1])
  await expectFinal(mesh, notes, [0, 1])
})

test('an epoch that only an admin makes holds up nothing where anybody made it', async () => {
  const scene = await family('by no admin')
  const { mesh, notes } = scene
  await using _ = mesh
  const lost = await lie(scene, { case: 'prune', value: create(weaver.PruneCauseSchema) })
  for (const index of [0, 1, 2]) expect(statusOf(mesh, index, notes, lost)?.fault).toBe('admin_unknown')
  await expectFinal(mesh, notes, [0, 1, 2])
  expect(mesh.store(0, notes).kernel().base()).toBeUndefined()
})

test('so is one that follows what turns out void, where nothing newer is to be followed', async () => {
  const scene = await family('void above')
  const { mesh, root, notes } = scene
  await using _ = mesh
  mesh.partition([0], [1, 2])
  await mesh.run(() => isAlone(mesh, 0, root), 'node 0 is alone')
  await mesh.complete(mesh.store(1, root).revokePeer(keyOf(mesh, 2)))
  const kernel = (index: number) => mesh.store(index, notes).kernel()
  await mesh.run(() => kernel(1).membership().limited().length === 1, 'the store below has followed')
  const [followed] = kernel(1).epochs()
  if (followed === undefined) throw new Error('there is one')
  // What is not open does not follow what is done above, and has nothing to follow as that is undone.
  await mesh.complete(mesh.store(0, notes).archive())
  for (const role of [system.Role.WRITER, system.Role.ADMIN]) {
    await mesh.complete(mesh.store(0, root).setPeerRole(keyOf(mesh, 1), role))
  }
  await mesh.time.pass(60_000)
  await mesh.complete(mesh.store(0, notes).unarchive())
  mesh.heal()
  await mesh.converge(root)
  await mesh.converge(notes)
  const held = await mesh.complete(kernel(0).submitEpoch({ kind: 'initial' }))
  await mesh.time.pass(HOUR_MS / 2)
  expect(statusOf(mesh, 0, notes, held)).toMatchObject({ isSettled: true, isFinal: false })
  await mesh.time.pass(HOUR_MS)
  for (const index of [0, 1, 2]) expect(statusOf(mesh, index, notes, followed.id)?.fault).toBe('set_aside')
  await expectFinal(mesh, notes, [0, 1, 2])
})
