import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type StrandedWrite, WriteRefused } from '@lattice/kernel'
import {
  decodeUniversalOp,
  encodeUniversalOp,
  equalBytes,
  type IntentionId,
  isLatticeError,
  type KnownOp,
  type PublicKey,
  toIntentionId,
  toPublicKey,
} from '@lattice/model'
import { system, weaver } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { NodeError } from '../errors.ts'
import { createMutex } from '../mutex.ts'
import type { StrandedActs } from './history-types.ts'
import { createStrandedActs } from './stranded-acts.ts'

const SELF: PublicKey = toPublicKey(new Uint8Array(32).fill(7))
const idOf = (n: number): IntentionId => toIntentionId(new Uint8Array(32).fill(n))
const KNOWN = 100

function strand(n: number, op: KnownOp): StrandedWrite {
  const ops = encodeUniversalOp(op)
  return { id: idOf(n), timestamp: { wall: n, counter: 0 }, ops, op: decodeUniversalOp(ops) }
}
const put = (n: number): StrandedWrite => strand(n, { kind: 'appData', schema: 0, value: Uint8Array.of(n) })
const settings = (n: number, op: NonNullable<MessageInitShape<typeof system.SystemOpSchema>['op']>): StrandedWrite =>
  strand(n, { kind: 'system', schema: 0, value: create(system.SystemOpSchema, { op }) })
const invite = (n: number): StrandedWrite => settings(n, inviteOp)
const inviteOp = { case: 'invite', value: { op: { case: 'create', value: {} } } } as const
const epoch = (
  n: number,
  cause: NonNullable<MessageInitShape<typeof weaver.EpochCauseSchema>['cause']>,
): StrandedWrite =>
  strand(n, { kind: 'epoch', schema: 0, value: create(weaver.EpochOpSchema, { seq: 9n, cause: { cause } }) })
const removal = (n: number, peer: Uint8Array): StrandedWrite =>
  epoch(n, { case: 'membership', value: { removals: [{ peer }] } })

const INVITE = 'make the invite again: its token admits nobody'

interface Scene extends StrandedActs {
  /** The first byte of each that was submitted. */
  readonly submitted: number[]
  /** By first byte of the write: what comes instead of it. */
  readonly refusals: Map<number, Error>
  /** What taking off fails with. */
  takeOff: Error | undefined
}

/** A store with these put aside; what is written has the id of its first byte and 100. */
function scene(writes: readonly StrandedWrite[], there: readonly number[] = []): Scene {
  const [submitted, refusals] = [[] as number[], new Map<number, Error>()]
  let [listed, hidden] = [writes, new Set<IntentionId>()]
  const made: Pick<Scene, 'submitted' | 'refusals' | 'takeOff'> = { submitted, refusals, takeOff: undefined }
  const submit = async (n: number): Promise<IntentionId> => {
    const refusal = refusals.get(n)
    if (refusal !== undefined) throw refusal
    submitted.push(n)
    return idOf(KNOWN + n)
  }
  const acts = createStrandedActs({
    context: { id: SELF },
    store: () => ({
      exclusive: createMutex({ capacity: 1 }),
      kernel: {
        has: (id) => there.includes(id[0] ?? 0),
        tables: () => {
          throw new Error('no removal is looked at here')
        },
        submit: (op) => submit('kind' in op && op.kind === 'appData' ? (op.value[0] ?? 0) : 0),
        submitEpoch: async () => submit(0),
      },
      stranded: {
        all: () => listed.filter(({ id }) => !hidden.has(id)),
        settled: (id) => {
          hidden = new Set([...hidden, id])
          if (made.takeOff !== undefined) throw made.takeOff
        },
        drop: (ids) => {
          listed = listed.filter(({ id }) => !ids.some((other) => equalBytes(other, id)))
        },
      },
    }),
  })
  return Object.assign(made, acts)
}

const left = (acts: StrandedActs): readonly number[] => acts.stranded().map(({ id }) => id[0] ?? 0)
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => (isLatticeError(error) ? error.code : error),
  )

describe('writes that were put aside', () => {
  test('are written anew over what is not repeated, which stays with what to do about it', async () => {
    const acts = scene([put(1), invite(2), put(3)])
    expect(acts.stranded().map(({ remedy }) => remedy)).toEqual([undefined, INVITE, undefined])
    expect(await acts.resubmitStranded()).toEqual({
      settled: [
        { lost: idOf(1), id: idOf(KNOWN + 1) },
        { lost: idOf(3), id: idOf(KNOWN + 3) },
      ],
      kept: [{ id: idOf(2), reason: INVITE }],
      failure: undefined,
    })
    expect([acts.submitted, left(acts)]).toEqual([[1, 3], [2]])
    expect(await acts.resubmitStranded()).toMatchObject({ settled: [], kept: [{ id: idOf(2) }] })
    expect(acts.submitted).toEqual([1, 3])
  })

  test('stay where one alone is refused, and why is told', async () => {
    const acts = scene([put(1), put(2), put(3)])
    acts.refusals.set(2, new WriteRefused('INVALID_ARGUMENT', 'the store would reject the write (malformed)'))
    expect(await acts.resubmitStranded()).toMatchObject({
      settled: [{ lost: idOf(1) }, { lost: idOf(3) }],
      kept: [{ id: idOf(2), reason: 'the store would reject the write (malformed)' }],
      failure: undefined,
    })
    expect(left(acts)).toEqual([2])
  })

  test.each([
    new NodeError('DISK_FULL', 'free some space'),
    new WriteRefused('STORE_NOT_READY', 'it is compared first'),
  ])('are left alone after a failure that all would meet; what was written before is told: %s', async (error) => {
    const acts = scene([put(1), put(2), put(3)])
    acts.refusals.set(2, error)
    const { settled, kept, failure } = await acts.resubmitStranded()
    expect([settled.map(({ lost }) => lost), kept]).toEqual([[idOf(1)], []])
    expect(failure).toEqual({ code: error.code, message: error.message })
    expect(left(acts)).toEqual([2, 3])
    acts.refusals.clear()
    expect(await acts.resubmitStranded()).toMatchObject({ failure: undefined })
    expect(acts.submitted).toEqual([1, 2, 3])
  })

  test('are not written twice where the disk does not take that they were', async () => {
    const acts = scene([put(1), put(2)])
    acts.takeOff = new NodeError('DISK_FULL', 'free some space')
    expect(await acts.resubmitStranded()).toEqual({
      settled: [{ lost: idOf(1), id: idOf(KNOWN + 1) }],
      kept: [],
      failure: { code: 'DISK_FULL', message: 'free some space' },
    })
    acts.takeOff = undefined
    await acts.resubmitStranded()
    expect(acts.submitted).toEqual([1, 2])
  })

  test('are not written anew where a peer brought them meanwhile', async () => {
    const acts = scene([put(1), put(2)], [1])
    expect(await acts.resubmitStranded()).toMatchObject({ settled: [{ lost: idOf(2) }], kept: [] })
    expect(acts.submitted).toEqual([2])
  })

  test('are named by digits of their ids, to be written or let go', async () => {
    const acts = scene([put(0x11), invite(0x12), put(0x13), put(0x14)])
    expect(await acts.resubmitStranded(['1313'])).toMatchObject({ settled: [{ lost: idOf(0x13) }], kept: [] })
    expect(await acts.dropStranded(['12121212', '1414', '1414'])).toBe(2)
    expect(left(acts)).toEqual([0x11])
    for (const name of ['11', 'zzzz', '']) expect(await codeOf(acts.dropStranded([name]))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(acts.dropStranded(['1111', '1313']))).toBe('INTENTION_NOT_FOUND')
    const many = Array.from({ length: 1_001 }, () => '1111')
    expect(await codeOf(acts.resubmitStranded(many))).toBe('INVALID_ARGUMENT')
    expect(left(acts)).toEqual([0x11])
    expect(await acts.dropStranded()).toBe(1)
    const twins = scene([put(1), { ...put(2), id: toIntentionId(new Uint8Array(32).fill(1, 0, 31)) }])
    expect(await codeOf(twins.dropStranded(['010101']))).toBe('INVALID_ARGUMENT')
  })

  test('that change members or settings each say what to do again', () => {
    const acts = scene([
      settings(1, { case: 'peer', value: { op: { case: 'setName', value: 'nas' } } }),
      settings(2, { case: 'batch', value: { ops: [{ op: inviteOp }, { op: inviteOp }, {}] } }),
      settings(3, { case: 'child', value: { op: { case: 'setAlias', value: 'notes' } } }),
      settings(4, { case: 'store', value: { op: { case: 'setName', value: 'team' } } }),
      removal(5, SELF),
      removal(6, idOf(1)),
      epoch(7, { case: 'prune', value: {} }),
      epoch(8, { case: 'key', value: {} }),
    ])
    const newer = 'a newer version wrote this: install that again, and resubmit with it'
    expect(acts.stranded().map(({ remedy }) => remedy)).toEqual([
      'name the peer again',
      `${INVITE}; ${newer}`,
      'name the store below again',
      'name the store again',
      'give up the right of this node again, if it still has it',
      undefined,
      'prune the store again, if there is still history to delete',
      newer,
    ])
  })
})
