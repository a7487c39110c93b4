import { type Hash, toHash, toHex, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { Reason } from './finding.ts'
import { storeReasons } from './store-reasons.ts'
import type { BootstrapSnapshot, OpenSnapshot, ReplicaSnapshot, StoreSnapshot } from './store-snapshot.ts'
import type { Named } from './words.ts'

const NOW_MS = 1_800_000_000_000
const MINUTE_MS = 60_000
const AROUND = { nowMs: NOW_MS, hasNetwork: true }

const bytes = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const named = (byte: number, name = ''): Named => ({ publicKey: toPublicKey(bytes(byte)), name })
const nas = named(0xcd, 'nas')

function replica(peer: Named): ReplicaSnapshot {
  return {
    peer: {
      ...peer,
      online: true,
      connected: true,
      elsewhere: false,
      dormant: false,
      lastSeenMs: NOW_MS,
      addresses: [],
      dial: undefined,
      conduct: { standing: 'good', score: 0, drained: [], heldBytes: 0 },
      mutedForMs: 0,
      troubles: { refusal: undefined, misbehaviour: undefined, ended: undefined },
    },
    sync: 'synced',
    lag: { unseen: 0, unseenSinceMs: undefined },
    isSyncing: false,
    lastFailure: undefined,
  }
}

const OPEN: OpenSnapshot = {
  headless: false,
  storeType: 'core:kvstore',
  held: undefined,
  projection: { appliedSeq: 10, headSeq: 10 },
  stalled: undefined,
  floating: { nowMs: NOW_MS, groups: [], listed: 0, total: 0, evicted: 0 },
  openForks: [],
  unsettled: undefined,
  diverged: [],
  snapshotFailure: undefined,
  pruning: undefined,
  stranded: 0,
  rejections: 0,
  replicas: [replica(nas)],
  unreplicated: undefined,
  isToldAbove: false,
}
const STORE: StoreSnapshot = {
  ref: { id: toStoreId(toHash(bytes(0x11))), path: 'team' },
  state: 'active',
  failure: undefined,
  bootstrap: undefined,
  awaiting: [],
  isCutApart: false,
  open: OPEN,
}
const STALLED = {
  code: 'INTERNAL',
  message: 'it broke.',
  seq: 8,
  id: toIntentionId(toHash(bytes(1))),
  sinceMs: NOW_MS - 5 * MINUTE_MS,
} as const
const FETCHING: BootstrapSnapshot = { peers: [nas], attempts: 0, lastFailure: undefined, progress: undefined }
const TIMED_OUT = { code: 'PEER_UNREACHABLE', message: 'nobody answered' } as const

const open = (changes: Partial<OpenSnapshot>): StoreSnapshot => ({ ...STORE, open: { ...OPEN, ...changes } })
const fetching = (changes: Partial<BootstrapSnapshot>): StoreSnapshot => ({
  ...STORE,
  state: 'bootstrapping',
  open: undefined,
  bootstrap: { ...FETCHING, ...changes },
})

test('nothing is said of a store that lacks nothing', () => {
  expect(storeReasons(STORE, AROUND)).toEqual([])
})

/** Facts, and the one reason they give: how grave, its code, and words that must be in what it says and in what to do. */
const cases: readonly (readonly [string, StoreSnapshot, string, string, string])[] = [
  [
    'a damaged log',
    { ...STORE, state: 'failed', open: undefined, failure: { code: 'LOG_DAMAGED', message: 'witness 9 is missing.' } },
    'problem store_failed',
    'cannot be used: witness 9 is missing',
    '`lattice store repair 111111111111`',
  ],
  [
    'a full disk',
    { ...STORE, state: 'failed', open: undefined, failure: { code: 'DISK_FULL', message: 'free some space' } },
    'problem store_failed',
    'free some space',
    'tried again by itself',
  ],
  ['creation', { ...STORE, state: 'creating', open: undefined }, 'info creating', 'waits for its parent', ''],
  [
    'a fetch that goes on',
    fetching({ progress: { done: 3_000, total: 9_000 } }),
    'info bootstrapping',
    'being fetched from nas, 3,000 of 9,000 records so far',
    '',
  ],
  [
    'a fetch that fails',
    fetching({ attempts: 4, lastFailure: TIMED_OUT }),
    'warning bootstrapping',
    '4 attempts to fetch it from nas failed, the last with: nobody answered',
    'start one',
  ],
  [
    'a fetch from nobody',
    fetching({ peers: [] }),
    'warning bootstrapping',
    'no peer to fetch it from is known',
    'connect a peer',
  ],
  [
    'a throw',
    open({ stalled: STALLED, projection: { appliedSeq: 7, headSeq: 10 } }),
    'problem projection_stalled',
    'at record 8 for 5 min, 3 intentions behind: it broke',
    'store retry',
  ],
  [
    'a newer schema',
    open({ stalled: { ...STALLED, code: 'SCHEMA_TOO_NEW' } }),
    'problem upgrade_needed',
    'waits at record 8 for an upgrade',
    'upgrade this node',
  ],
  ['a rebuild', open({ projection: { appliedSeq: 7, headSeq: 10 } }), 'info projecting', '3 intentions of 10', ''],
  [
    'a hold',
    open({
      held: 'the log was repaired: connect one, or run `lattice store repair --accept-fork` to write without it',
    }),
    'warning writes_held',
    'does not write yet: the log was repaired: connect one',
    'or run `lattice store repair --accept-fork',
  ],
  ['a fork', open({ openForks: [nas] }), 'warning forked_open', 'nas wrote on two branches', 'write once on nas'],
  ['no opener', open({ headless: true }), 'info headless', 'type `core:kvstore`', 'install'],
  ['a rejection', open({ rejections: 1 }), 'info rejections', '1 operation did nothing', 'store debug rejections'],
  ['no other peer', open({ replicas: [] }), 'info alone', 'on this machine only', 'peer invite'],
  [
    'what nobody else has, fresh',
    open({ unreplicated: { unseen: 1, unseenSinceMs: NOW_MS - 2_000 } }),
    'info not_replicated',
    '1 intention, the first from 2 s ago, is not known',
    'connect nas',
  ],
  [
    'what nobody else has, for long',
    open({
      replicas: [replica(nas), replica(named(2))],
      unreplicated: { unseen: 1234, unseenSinceMs: NOW_MS - 2 * MINUTE_MS },
    }),
    'warning not_replicated',
    '1,234 intentions, the first from 2 min ago, are not known',
    'connect one of nas and 020202020202',
  ],
  [
    'a destroyed store',
    { ...STORE, state: 'destroyed', open: undefined, awaiting: [nas, named(2, 'vps')] },
    'warning destroy_awaiting',
    'until nas and vps have acknowledged',
    'start nas and vps',
  ],
  [
    'a history that was cut here and elsewhere, each without the other',
    { ...STORE, isCutApart: true },
    'problem cut_apart',
    'history was deleted here, and by others that did not know of it',
    'store leave 111111111111 --force',
  ],
  [
    'evicted',
    open({ floating: { ...OPEN.floating, evicted: 5 } }),
    'warning floating_evicted',
    '5 intentions that waited were dropped',
    'next exchange',
  ],
]

test.each(cases)('%s', (_, snapshot, expected, what, remedy) => {
  const reasons = storeReasons(snapshot, AROUND)
  expect(reasons.map(({ severity, code }) => `${severity} ${code}`)).toEqual([expected])
  expect(reasons[0]?.what).toContain(what)
  expect(reasons[0]?.remedy ?? '').toContain(remedy)
  if (remedy === '') expect(reasons[0]?.remedy).toBeUndefined()
})

describe('what is not true is not said', () => {
  test('a store that shares the peers of one that is told is not told to be alone, too', () => {
    expect(storeReasons(open({ replicas: [], isToldAbove: true }), AROUND)).toEqual([])
  })

  test('nothing unseen is nothing unreplicated', () => {
    const unreplicated = { unseen: 0, unseenSinceMs: undefined }
    expect(storeReasons(open({ unreplicated }), AROUND)).toEqual([])
  })

  test('the error of a bootstrap is no failure of the store', () => {
    const codes = storeReasons(fetching({ attempts: 1, lastFailure: TIMED_OUT }), AROUND).map(({ code }) => code)
    expect(codes).toEqual(['bootstrapping'])
  })
})

describe('epochs', () => {
  const at = (sinceMs: number): StoreSnapshot => ({
    ref: { id: toStoreId(bytes(1)), path: 'team' },
    state: 'active',
    failure: undefined,
    bootstrap: undefined,
    awaiting: [],
    isCutApart: false,
    open: {
      ...OPEN,
      replicas: [replica(nas)],
      unsettled: { epoch: toIntentionId(bytes(9)), seq: 3n, sinceMs, waitingFor: [nas] },
    },
  })

  test('that are not settled are said to wait for whom they wait', () => {
    const [fresh] = storeReasons(at(NOW_MS - 5_000), AROUND)
    expect(fresh).toMatchObject({ severity: 'info', code: 'not_settled' })
    const [late] = storeReasons(at(NOW_MS - 10 * MINUTE_MS), AROUND)
    expect(late).toMatchObject({ severity: 'warning', code: 'not_settled' })
    expect(late?.what).toContain('epoch 3 is not settled: ')
    expect(late?.what).toContain('nas')
  })

  test('at which nodes differ are said with whom, and which is likely to be wrong', () => {
    const diverged = { epoch: toIntentionId(bytes(9)), seq: 4n, others: [{ peer: nas, root: toHash(bytes(7)) }] }
    const reasonOf = (rest: { readonly ownRoot: Hash | undefined; readonly isOutvoted: boolean }): Reason | undefined =>
      storeReasons(open({ diverged: [{ ...diverged, ...rest }] }), AROUND)[0]
    const own = toHash(bytes(8))
    expect(reasonOf({ ownRoot: own, isOutvoted: false })).toMatchObject({
      severity: 'problem',
      code: 'state_divergence',
      what: 'nas signed another state at epoch 4 than this node came to; nothing is pruned while that stands',
      detail: { ownRoot: toHex(own) },
    })
    expect(reasonOf({ ownRoot: own, isOutvoted: true })?.what).toContain('whose own is likely to be the wrong one')
    const told = reasonOf({ ownRoot: undefined, isOutvoted: false })
    expect(told?.what).toContain('peers have come to different states at epoch 4')
    expect(told?.detail).not.toHaveProperty('ownRoot')
  })

  test('whose state cannot be kept are said with why', () => {
    const snapshotFailure = { code: 'DISK_FULL', message: 'the disk is full.' } as const
    expect(storeReasons(open({ snapshotFailure }), AROUND)[0]).toMatchObject({
      severity: 'warning',
      code: 'snapshot_failed',
      what: 'the state at the newest epoch cannot be kept: the disk is full',
    })
  })

  test('by which history is to be deleted are said with who is waited for, and how it failed', () => {
    const epoch = toIntentionId(bytes(9))
    const pruning = {
      epoch,
      sinceMs: NOW_MS - 5_000,
      state: 'waiting',
      waitsOn: 'settlement',
      failure: undefined,
    } as const
    const reasonsOf = (changes: Partial<OpenSnapshot>): readonly Reason[] => storeReasons(open(changes), AROUND)
    const [waiting] = reasonsOf({ pruning: { ...pruning, waitsFor: [nas] } })
    expect(waiting).toMatchObject({
      severity: 'info',
      code: 'prune_waiting',
      detail: { peers: [toHex(nas.publicKey)] },
    })
    expect(waiting?.what).toBe('history is not deleted yet: nas has not acknowledged the epoch that says so')
    const late = { ...pruning, sinceMs: NOW_MS - 10 * MINUTE_MS, waitsOn: 'finality', waitsFor: [] } as const
    expect(reasonsOf({ pruning: late })[0]).toMatchObject({ severity: 'warning', code: 'prune_waiting' })
    const failure = { code: 'DISK_FULL', message: 'the disk is full.' } as const
    const [failed] = reasonsOf({ pruning: { ...pruning, state: 'failed', waitsFor: [], failure } })
    expect(failed).toMatchObject({ code: 'prune_failed', what: 'history cannot be deleted: the disk is full' })
    expect(reasonsOf({ pruning: { ...pruning, state: 'pruning', waitsFor: [] } })).toEqual([])
    expect(reasonsOf({ stranded: 2 })[0]).toMatchObject({ code: 'writes_stranded', detail: { count: 2 } })
  })

  test('that removed this node are said first', () => {
    const [reason] = storeReasons({ ...at(NOW_MS), state: 'revoked' }, AROUND)
    expect(reason).toMatchObject({ severity: 'problem', code: 'self_revoked' })
  })
})
