/** What the doctor says of facts. */
import { toHash, toIntentionId, toPublicKey, toStoreId } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import type { DoctorSnapshot, OpenHealth, StoreHealth } from './doctor-snapshot.ts'
import { nodeChecks } from './node-checks.ts'
import { DISK_LOW_BYTES } from './node-reasons.ts'
import { storeChecks } from './store-checks.ts'
import type { OpenSnapshot, StoreSnapshot } from './store-snapshot.ts'

const NOW_MS = 1_800_000_000_000
const HOUR_MS = 3_600_000
const AROUND = { nowMs: NOW_MS, hasNetwork: true }
const bytes = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

const STORE: StoreSnapshot = {
  ref: { id: toStoreId(toHash(bytes(0x11))), path: 'team' },
  state: 'active',
  failure: undefined,
  bootstrap: undefined,
  awaiting: [],
  isCutApart: false,
  open: undefined,
}
const OPEN: OpenSnapshot = {
  headless: false,
  storeType: 'core:kvstore',
  held: undefined,
  projection: { appliedSeq: 100, headSeq: 100 },
  stalled: undefined,
  floating: { nowMs: NOW_MS, groups: [], listed: 0, total: 0, evicted: 0 },
  openForks: [],
  unsettled: undefined,
  diverged: [],
  snapshotFailure: undefined,
  pruning: undefined,
  stranded: 0,
  rejections: 0,
  replicas: [],
  unreplicated: undefined,
  isToldAbove: false,
}
const HEALTH: OpenHealth = {
  now: { atMs: NOW_MS, records: 100, logBytes: 3_000_000, stateBytes: 1_000_000, snapshotBytes: 0 },
  before: { atMs: NOW_MS - 2 * HOUR_MS, records: 40, logBytes: 1_500_000, stateBytes: 500_000, snapshotBytes: 0 },
  walBytes: 4_000_000,
  scrubbed: { checked: 30, passEndedMs: undefined },
  forkedAuthors: 0,
}
const NODE: DoctorSnapshot = {
  nowMs: NOW_MS,
  hasNetwork: true,
  clock: { verdict: 'good', aheadMs: -1500 },
  clockPeers: 2,
  disk: { freeBytes: DISK_LOW_BYTES, totalBytes: DISK_LOW_BYTES * 2 },
  about: { version: '1.2.3', runtime: 'Node.js 24.1.0', crypto: 'native' },
  sqliteVersion: '3.50.0',
  dataDir: { path: '/data', mode: 0o700 },
  identity: { path: '/data/identity.key', mode: 0o600 },
  transport: 'iroh',
  addresses: ['iroh:192.168.1.7:4433', 'iroh:https://relay.example/'],
  stores: [],
  peers: { known: 2, online: 2 },
}

const brief = (reasons: readonly { readonly severity: string; readonly code: string }[]): readonly string[] =>
  reasons.map(({ severity, code }) => `${severity} ${code}`)

describe('of a node', () => {
  test('all that is well is told, in order', () => {
    const reasons = nodeChecks(NODE)
    expect(brief(reasons)).toEqual([
      'ok versions',
      'ok data_dir',
      'ok identity',
      'ok disk',
      'ok clock',
      'ok network',
      'ok peers',
      'ok stores',
    ])
    const said = reasons.map(({ what }) => what).join('\n')
    expect(said).toContain('lattice 1.2.3, Node.js 24.1.0, SQLite 3.50.0, native cryptography')
    expect(said).toContain('(mode 0600)')
    expect(said).toContain('within 1 s of what 2 peers say')
    expect(said).toContain('iroh:192.168.1.7:4433 and iroh:https://relay.example/ (iroh)')
    for (const { remedy } of reasons) expect(remedy).toBeUndefined()
  })

  const failedStore: StoreHealth = { store: { ...STORE, state: 'failed' }, open: undefined, verified: undefined }

  test.each([
    [
      'data directory',
      { dataDir: { path: "/da'ta", mode: 0o755 } },
      'warning data_dir',
      '(mode 0755)',
      String.raw`chmod 700 '/da'\''ta'`,
    ],
    ['identity key', { identity: { path: '/k', mode: 0o640 } }, 'problem identity', 'open to others', "chmod 600 '/k'"],
    [
      'identity key of a system without modes',
      { identity: { path: '/k', mode: undefined } },
      'info identity',
      'does not say',
      'only its owner',
    ],
    [
      'disk that is low',
      { disk: { freeBytes: 5, totalBytes: 10 } },
      'problem disk_low',
      '5 B of 10 B',
      'free some space',
    ],
    ['disk that says nothing', { disk: undefined }, 'info disk', 'does not say', ''],
    ['clock that is ahead', { clock: { verdict: 'ahead', aheadMs: 45_000 } }, 'warning clock_ahead', '45 s', 'NTP'],
    ['clock without peers', { clock: { verdict: 'good', aheadMs: undefined } }, 'info clock', 'was not compared', ''],
    ['node without a network', { hasNetwork: false }, 'warning network', 'without a network', '--offline'],
    ['node without an address', { addresses: [] }, 'warning network', 'no address of this node', '--bind'],
    [
      'node of loopback alone',
      { addresses: ['tls:127.0.0.1:1', 'tls:[::1]:1'] },
      'warning network',
      'this machine alone',
      '--bind',
    ],
    [
      'node of a public address that holds the digits',
      { addresses: ['tls:8.127.0.1:1'] },
      'ok network',
      '8.127.0.1',
      '',
    ],
    ['node with nothing to share', { peers: { known: 0, online: 0 } }, 'info peers', 'no store to share yet', ''],
    [
      'node without peers',
      { peers: { known: 0, online: 0 }, stores: [{ store: STORE, open: undefined, verified: undefined }] },
      'warning peers',
      'no store has another peer',
      'peer invite',
    ],
    [
      'node that some peers reach',
      { peers: { known: 2, online: 1 } },
      'info peers',
      '1 of 2 peers are online',
      'lattice why',
    ],
    [
      'node that no peer reaches',
      { peers: { known: 1, online: 0 } },
      'warning peers',
      '0 of 1 peer is online',
      'lattice why',
    ],
    ['node with a failed store', { stores: [failedStore] }, 'problem stores', '1 store, 0 in use, 1 failed', 'below'],
  ] satisfies [string, Partial<DoctorSnapshot>, string, string, string][])(
    'the %s',
    (_, changes, expected, what, remedy) => {
      const before = brief(nodeChecks(NODE))
      const reasons = nodeChecks({ ...NODE, ...changes })
      const told = reasons.find((reason) => brief([reason])[0] === expected)
      expect(told?.what).toContain(what)
      expect(told?.remedy ?? '').toContain(remedy)
      // Nothing else changes.
      expect(brief(reasons).filter((each) => each !== expected && !before.includes(each))).toEqual([])
    },
  )

  test('without what runs it, only what is known is told', () => {
    expect(nodeChecks({ ...NODE, about: undefined })[0]).toMatchObject({ severity: 'ok', what: 'SQLite 3.50.0' })
  })
})

interface Changes {
  readonly store?: Partial<StoreSnapshot>
  readonly open?: Partial<OpenSnapshot>
  readonly health?: Partial<OpenHealth>
  readonly verified?: StoreHealth['verified']
}

function healthOf({ store, open, health, verified }: Changes): StoreHealth {
  return { store: { ...STORE, open: { ...OPEN, ...open }, ...store }, open: { ...HEALTH, ...health }, verified }
}

const SOUND = { outcome: 'sound', full: true, problemCount: 0, firstBad: undefined, problems: [] } as const
const PROBLEM = { kind: 'chain', seq: 9, id: undefined, what: 'the witness chain does not link.' } as const
const DAMAGED = { outcome: 'records', full: false, problemCount: 2, firstBad: PROBLEM, problems: [PROBLEM] } as const
const STALLED = {
  code: 'INTERNAL',
  message: 'it broke',
  seq: 8,
  id: toIntentionId(toHash(bytes(1))),
  sinceMs: NOW_MS,
} as const

describe('of a store', () => {
  test('size and growth, integrity, projection and forks are told', () => {
    const reasons = storeChecks(healthOf({}), AROUND)
    expect(brief(reasons)).toEqual(['ok size', 'ok integrity', 'ok projection', 'ok forks'])
    expect(reasons[0]).toMatchObject({
      what: '100 records, log 3.0 MB, state 1.0 MB; grew by 2.0 MB and 60 records in 2 h, 24.0 MB a day',
      detail: { grownBytes: 2_000_000, grownRecords: 60, walBytes: 4_000_000 },
    })
    expect(reasons[1]?.what).toBe(
      'no damage met: it opened with a good last commit; 30 of 100 records were read through in the background so far; not verified since the node started',
    )
    expect(reasons[1]?.remedy).toContain('lattice store verify --full 111111111111')
  })

  test('growth is measured: none is made up, and a day is not judged by minutes', () => {
    const sizeOf = (before: OpenHealth['before']): string | undefined =>
      storeChecks(healthOf({ health: { before } }), AROUND)[0]?.what
    expect(sizeOf(undefined)).toBe('100 records, log 3.0 MB, state 1.0 MB')
    expect(sizeOf(HEALTH.now)).toBe('100 records, log 3.0 MB, state 1.0 MB')
    expect(sizeOf({ ...HEALTH.now, atMs: NOW_MS - 60_000, logBytes: 2_000_000 })).toMatch(
      /grew by 1.0 MB and 0 records in 1 min$/u,
    )
    expect(sizeOf({ ...HEALTH.now, atMs: NOW_MS - 2 * HOUR_MS, logBytes: 4_000_000 })).toMatch(
      /shrank by 1.0 MB and 0 records in 2 h$/u,
    )
  })

  test.each([
    [
      'a large write-ahead log',
      { health: { walBytes: 300_000_000 } },
      'warning wal_large',
      '300.0 MB',
      'start the node again',
    ],
    [
      'a pass of the scrub',
      { health: { scrubbed: { checked: 250, passEndedMs: NOW_MS - HOUR_MS } } },
      'ok integrity',
      'all of it was read through in the background, the last time 1 h ago',
      'verify --full',
    ],
    ['no scrub', { health: { scrubbed: undefined } }, 'info integrity', 'nothing reads it through', 'verify --full'],
    [
      'no scrub, and verified in full',
      { health: { scrubbed: undefined }, verified: { atMs: NOW_MS - HOUR_MS, report: SOUND } },
      'ok integrity',
      'verified in full 1 h ago',
      '',
    ],
    [
      'damage that was found',
      { verified: { atMs: NOW_MS, report: DAMAGED } },
      'problem integrity',
      '2 problems, the first: the witness chain does not link',
      'store repair 111111111111',
    ],
    [
      'a stalled projection',
      { open: { stalled: STALLED, projection: { appliedSeq: 7, headSeq: 100 } } },
      'problem projection_stalled',
      'it broke',
      'store retry',
    ],
    [
      'an open fork',
      { open: { openForks: [{ publicKey: toPublicKey(bytes(2)), name: 'nas' }] }, health: { forkedAuthors: 1 } },
      'warning forked_open',
      'nas',
      'write once',
    ],
    ['a joined fork', { health: { forkedAuthors: 2 } }, 'ok forks', '2 authors forked, and joined', ''],
  ] satisfies [string, Changes, string, string, string][])('%s', (_, changes, expected, what, remedy) => {
    const reasons = storeChecks(healthOf(changes), AROUND)
    const told = reasons.find((reason) => brief([reason])[0] === expected)
    expect(told?.what).toContain(what)
    expect(told?.remedy ?? '').toContain(remedy)
  })

  test('a fork that is open is not said to be joined', () => {
    const openForks = [{ publicKey: toPublicKey(bytes(2)), name: 'nas' }]
    const reasons = storeChecks(healthOf({ open: { openForks }, health: { forkedAuthors: 1 } }), AROUND)
    expect(brief(reasons)).not.toContain('ok forks')
  })

  test('one that stands still is not said to be projected', () => {
    const stalled = { open: { stalled: STALLED, projection: { appliedSeq: 7, headSeq: 100 } } }
    expect(brief(storeChecks(healthOf(stalled), AROUND))).not.toContain('ok projection')
    const behind = { open: { projection: { appliedSeq: 7, headSeq: 100 } } }
    expect(brief(storeChecks(healthOf(behind), AROUND))).not.toContain('ok projection')
  })

  test.each([
    ['damaged', { state: 'failed', failure: { code: 'LOG_DAMAGED', message: 'gone' } }, 'problem integrity'],
    ['too new', { state: 'failed', failure: { code: 'SCHEMA_TOO_NEW', message: 'upgrade' } }, 'problem store_failed'],
    ['left', { state: 'left' }, 'ok closed'],
    ['being created', { state: 'creating' }, 'info creating'],
  ] satisfies [string, Partial<StoreSnapshot>, string][])(
    'one that is %s is told by that alone',
    (_, changes, expected) => {
      const health = { store: { ...STORE, ...changes }, open: undefined, verified: undefined }
      expect(brief(storeChecks(health, AROUND))).toEqual([expected])
    },
  )
})
