/** Acks of peers that were removed: what was signed beyond a cutoff vouches for nothing, and contradicts nobody. */
import { create } from '@bufbuild/protobuf'
import { idKey, type IntentionId, type KnownOp, type ParsedIntention, toPublicKey } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { system, weaver } from '@lattice/proto'
import type { MembershipPolicy } from '@lattice/store-base'
import { afterEach, expect, test } from 'vitest'
import type { EpochStatus, Kernel } from '../src/index.ts'
import { createHistory, keyOf, modelPolicy } from './cutoff-history.ts'
import { createCutoffProjector, cutoffAuthority } from './cutoff-projector.ts'
import { openTestKernel, removeDirectories, type TestKernel, type TestKernelOptions } from './harness.ts'

afterEach(removeDirectories)

/** The model's, telling who is given what as a store with peers of its own does. */
const membership: MembershipPolicy = {
  ...modelPolicy,
  rolesIn: ({ op, author }) => {
    if (op.kind === 'genesis') return [{ peer: author, isAdmin: true }]
    if (op.kind !== 'system' || op.value.op.case !== 'peer' || op.value.op.value.op.case !== 'admit') return []
    const { peer, op: given } = op.value.op.value
    return [{ peer: toPublicKey(peer), isAdmin: given.value.role === system.Role.ADMIN }]
  },
}

async function open(options: TestKernelOptions): Promise<TestKernel> {
  return openTestKernel({
    ackDelayMs: Infinity,
    membership,
    projector: createCutoffProjector(),
    authority: cutoffAuthority,
    ...options,
  })
}

function ackOp(epoch: IntentionId, root: number): KnownOp {
  const stateRoot = new Uint8Array(32).fill(root)
  return {
    kind: 'epochAck',
    schema: 0,
    value: create(weaver.EpochAckOpSchema, { epoch, stateRoot, chainEnds: new Uint8Array(32) }),
  }
}

function statusOf(kernel: Kernel, epoch: ParsedIntention): EpochStatus | undefined {
  return kernel.epochs().find(({ id }) => idKey(id) === idKey(epoch.id))
}

/** Who signed which root, by the numbers they were made with. */
function rootsOf(kernel: Kernel, epoch: ParsedIntention): readonly string[] {
  const numberOf = (key: Uint8Array): number =>
    [1, 2, 3, 4, 5].findIndex((n) => idKey(keyOf(n)) === idKey(key as never)) + 1
  return (statusOf(kernel, epoch)?.roots ?? []).map(({ author, root }) => `${numberOf(author)}:${root[0]}`).sort()
}

function ackedAcks(kernel: Kernel, epoch: ParsedIntention): number {
  return (
    kernel
      .foundation(epoch.id)
      ?.read(0, 1e9)
      .filter(({ kind }) => kind === 'ack').length ?? -1
  )
}

/** 2, 3 and 4 are to acknowledge an epoch; 3 signs another state, and is removed by who had not seen that. */
function createScene() {
  const history = createHistory()
  const epoch = history.remove(1, 5, history.start, { acks: [2, 3, 4] })
  const second = history.write(2, ackOp(epoch.id, 1), [epoch])
  const wrong = history.write(3, ackOp(epoch.id, 9), [epoch])
  const fourth = history.write(4, ackOp(epoch.id, 1), [epoch])
  return { ...history, epoch, second, wrong, fourth }
}

test('count until their author is removed, and no more from then on, whether or not others built on them', async () => {
  const { storeId, all, epoch, second, wrong, write, remove } = createScene()
  const { kernel, options } = await open({ storeId })
  await kernel.ingest(all, undefined)
  expect(statusOf(kernel, epoch)).toMatchObject({ isSettled: true, isDiverged: true, isFinal: true })
  expect(rootsOf(kernel, epoch)).toEqual(['2:1', '3:9', '4:1'])
  expect(ackedAcks(kernel, epoch)).toBe(3)
  // Removed by who has not seen the ack; built upon by another.
  const built = write(2, 'set built 1', [wrong])
  const removed = remove(1, 3, [second], { acks: [2, 4] })
  await kernel.ingest([removed, built], undefined)
  expect(kernel.excluded(9)).toMatchObject([{ id: wrong.id, isLink: true }])
  expect(rootsOf(kernel, epoch)).toEqual(['2:1', '4:1'])
  expect(statusOf(kernel, epoch)).toMatchObject({ isSettled: true, isDiverged: false, isFinal: true })
  expect(ackedAcks(kernel, epoch)).toBe(2)
  await kernel.close()
  const again = await open({ ...options, storeId })
  expect(rootsOf(again.kernel, epoch)).toEqual(['2:1', '4:1'])
  await again.kernel.close()
})

test('of one who is back count from its admission on, the same in every order', async () => {
  const { storeId, all, epoch, wrong, write, remove, admit } = createScene()
  write(3, ackOp(epoch.id, 8), [wrong])
  const removed = remove(1, 3, [], { acks: [2, 4] })
  const back = admit(1, 3, [removed])
  // It had said two things already, and says a third.
  write(3, ackOp(epoch.id, 1), [back])
  const random = createSeededRandom(5)
  for (let order = 0; order < 6; order += 1) {
    const { kernel } = await open({ storeId })
    for (const one of all.toSorted(() => random.below(3) - 1)) {
      await kernel.ingest([one], undefined)
      await kernel.recheckFloating()
    }
    expect(rootsOf(kernel, epoch)).toEqual(['2:1', '3:1', '4:1'])
    expect(statusOf(kernel, epoch)).toMatchObject({ isDiverged: false, isFinal: true })
    expect((await kernel.verify()).problems).toEqual([])
    await kernel.close()
  }
})

test.each([
  ['all of them agreed on', [1, 1], 0, { isFinal: false, mayBegin: true }],
  ['one has not seen', [1], 0, { isFinal: false, mayBegin: false }],
  ['they came to different states at', [1, 2], 0, { isFinal: false, mayBegin: false }],
  ['lies over what does not count any more', [1, 1], 1, { isFinal: false, mayBegin: false }],
])('an epoch that is outranked and that %s', async (_, roots, unknown, expected) => {
  const { storeId, all, start, write, remove } = createHistory()
  // What its author wrote before, which who removes it has not seen.
  for (let n = 0; n < unknown; n += 1) write(2, 'set unknown 1')
  const epoch = remove(2, 5, start, { acks: [3, 4] })
  for (const [n, root] of roots.entries()) write(3 + n, ackOp(epoch.id, root), [epoch])
  const before = [...all]
  const removal = remove(1, 2, start, { acks: [3, 4] })
  const { kernel } = await open({ storeId })
  await kernel.ingest(before, undefined)
  const isFinal = expected.mayBegin || unknown > 0
  expect(statusOf(kernel, epoch)).toMatchObject({ fault: undefined, isFinal, mayBegin: isFinal })
  await kernel.ingest([removal], undefined)
  expect(statusOf(kernel, epoch)).toMatchObject({ fault: 'outranked', ...expected })
  // Whoever has cut there has this; who has not works over it, and keeps what it has.
  const set = kernel.over(epoch.id)
  expect(set !== undefined).toBe(expected.mayBegin)
  const index = set?.rangeIndex()
  const ids = index === undefined ? [] : [...index.items(0, index.size())].map(({ id }) => idKey(id as IntentionId))
  if (set !== undefined) expect(ids).toContain(idKey(removal.id))
  await kernel.close()
})
