import { toPublicKey } from '@lattice/model'
import { describe, expect, test } from 'vitest'
import { presenceReasons, replicaReasons } from './peer-reasons.ts'
import type { PeerSnapshot, ReplicaSnapshot } from './store-snapshot.ts'

const NOW_MS = 1_800_000_000_000
const HOUR_MS = 3_600_000
const AROUND = { nowMs: NOW_MS, hasNetwork: true }

const NO_TROUBLES = { refusal: undefined, misbehaviour: undefined, ended: undefined }
const PEER: PeerSnapshot = {
  publicKey: toPublicKey(new Uint8Array(32).fill(0xcd)),
  name: 'nas',
  online: false,
  connected: false,
  elsewhere: false,
  dormant: false,
  lastSeenMs: 0,
  addresses: [],
  dial: { attempts: 0, lastFailure: undefined, nextAtMs: undefined },
  conduct: { standing: 'good', score: 0, drained: [], heldBytes: 0 },
  mutedForMs: 0,
  troubles: NO_TROUBLES,
}
const FAILED: NonNullable<PeerSnapshot['dial']> = {
  attempts: 4,
  lastFailure: {
    code: 'PEER_UNREACHABLE',
    message: 'nobody answered',
    atMs: NOW_MS - 1000,
    addresses: ['ip:10.0.0.7:1'],
  },
  nextAtMs: NOW_MS + 9000,
}
const ended = (by: 'local' | 'remote' | 'lost', message: string): PeerSnapshot['troubles'] => ({
  ...NO_TROUBLES,
  ended: { by, message, atMs: NOW_MS - 2000 },
})
const refused = (code: string): PeerSnapshot['troubles'] => ({
  ...NO_TROUBLES,
  refusal: { code, message: 'no.', atMs: 0 },
})

const presences: readonly (readonly [string, Partial<PeerSnapshot>, string | undefined, string])[] = [
  ['connected', { online: true, lastSeenMs: NOW_MS }, undefined, ''],
  ['connected, after one that failed', { online: true, dial: FAILED, troubles: ended('lost', 'gone') }, undefined, ''],
  [
    'connected, of another version',
    { online: true, troubles: refused('VERSION_UNSUPPORTED') },
    'problem peer_refused',
    'exchanges nothing: no',
  ],
  ['left to the other peers it is connected to', { elsewhere: true, dial: undefined }, undefined, ''],
  [
    'never there, no address',
    { dial: undefined },
    'warning no_route',
    'since this node started: no address of it is known',
  ],
  [
    'never there, being dialled',
    { addresses: ['ip:1', 'ip:2'] },
    'warning no_route',
    'trying ip:1 and ip:2, and no dial has ended yet',
  ],
  [
    'never there, tried',
    { dial: FAILED, addresses: ['ip:1'] },
    'warning no_route',
    'tried ip:10.0.0.7:1: nobody answered',
  ],
  ['never there, and away by agreement', { dial: FAILED, dormant: true }, 'info no_route', 'tried'],
  [
    'gone, and dialled in vain',
    { lastSeenMs: NOW_MS - 3 * HOUR_MS, dial: FAILED },
    'warning peer_offline',
    'last heard of 3 h ago; 4 dials since then failed: nobody answered',
  ],
  [
    'gone just now',
    { lastSeenMs: NOW_MS - 2000, troubles: ended('remote', 'the node closes') },
    'warning peer_offline',
    'last heard of 2 s ago; the connection ended: the node closes',
  ],
  ['gone by agreement', { lastSeenMs: NOW_MS - 2000, dormant: true }, 'info peer_offline', 'nas is offline'],
  ['shut out, which is told of what it did', { mutedForMs: 90_000, online: true }, undefined, ''],
  [
    'turning this node away',
    { lastSeenMs: NOW_MS, troubles: ended('remote', 'not taken in') },
    'warning peer_refused',
    'ends every connection at once',
  ],
  [
    'turned away by this node',
    { lastSeenMs: NOW_MS, troubles: ended('local', 'not taken in') },
    'warning peer_offline',
    'the connection ended',
  ],
  [
    'turning this node away once, and unreachable since',
    { lastSeenMs: NOW_MS, dial: FAILED, troubles: ended('remote', 'not taken in') },
    'warning peer_offline',
    '4 dials',
  ],
]

test.each(presences)('a peer that is %s', (_, changes, expected, what) => {
  const reasons = presenceReasons({ ...PEER, ...changes }, AROUND)
  expect(reasons.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected === undefined ? [] : [expected])
  expect(reasons[0]?.what ?? '').toContain(what)
  for (const { remedy } of reasons) expect(remedy).not.toBe('')
})

test('without a network, that is the reason, and not the peers', () => {
  expect(presenceReasons(PEER, { ...AROUND, hasNetwork: false })).toEqual([])
})

test('a peer without a name is named by its key', () => {
  expect(presenceReasons({ ...PEER, name: '' }, AROUND)[0]?.what).toMatch(/^cdcdcdcdcdcd was not connected/u)
})

const ONLINE: PeerSnapshot = { ...PEER, online: true, connected: true, lastSeenMs: NOW_MS }
const REPLICA: ReplicaSnapshot = {
  peer: ONLINE,
  sync: 'differs',
  lag: undefined,
  isSyncing: false,
  lastFailure: undefined,
}
const BROKEN = { code: 'DEADLINE_EXCEEDED', message: 'too slow', refused: false, atMs: NOW_MS } as const
const NO_STORE = { code: 'STORE_NOT_FOUND', message: 'no such store', refused: true, atMs: NOW_MS } as const
const lag = (unseen: number, forMs: number): ReplicaSnapshot['lag'] => ({ unseen, unseenSinceMs: NOW_MS - forMs })

const replicas: readonly (readonly [string, Partial<ReplicaSnapshot>, readonly string[], string])[] = [
  ['equal', { sync: 'synced' }, [], ''],
  ['equal, after a session that failed', { sync: 'synced', lastFailure: NO_STORE }, [], ''],
  ['differing, being mended', { isSyncing: true }, ['info peer_differs'], 'an exchange is under way'],
  [
    'differing, about to be mended',
    { lag: lag(2, 3000) },
    ['info peer_differs'],
    'does not hold the same, for 3 s: an exchange follows',
  ],
  ['differing for long', { lag: lag(2, HOUR_MS) }, ['warning peer_differs'], 'for 1 h'],
  ['differing, mended in vain', { lastFailure: BROKEN }, ['warning peer_differs'], 'the last one failed: too slow'],
  ['not known', { sync: 'unknown' }, ['info peer_unknown_digest'], 'has not said yet'],
  [
    'not known, and behind by acks',
    { sync: 'unknown', lag: lag(2, HOUR_MS) },
    ['info peer_unknown_digest', 'info peer_behind'],
    '',
  ],
  ['not there', { sync: 'unknown', lastFailure: NO_STORE }, ['warning peer_refused'], 'says that it has no such store'],
  [
    'refused to this node',
    { sync: 'unknown', lastFailure: { ...NO_STORE, code: 'NOT_ADMITTED', message: 'revoked' } },
    ['warning peer_refused'],
    'does not exchange the store: revoked',
  ],
  [
    'refused, as the peer holds this node for removed',
    {
      sync: 'unknown',
      lastFailure: { ...NO_STORE, code: 'REVOKED', message: 'the peer says that this node was removed' },
    },
    ['warning peer_refused'],
    'does not exchange the store: the peer says that this node was removed',
  ],
  [
    'of a peer that refuses everything',
    { sync: 'unknown', peer: { ...ONLINE, troubles: refused('VERSION_UNSUPPORTED') } },
    [],
    '',
  ],
  [
    'behind, away',
    { sync: 'unknown', peer: PEER, lag: lag(1, HOUR_MS) },
    ['warning peer_behind'],
    'has not shown to have seen 1 intention, the first here for 1 h',
  ],
  [
    'behind, away by agreement',
    { sync: 'unknown', peer: { ...PEER, dormant: true }, lag: lag(9, HOUR_MS) },
    ['info peer_behind'],
    '9 intentions',
  ],
  ['away with everything', { sync: 'unknown', peer: PEER, lag: lag(0, 0) }, [], ''],
  ['away, of one that writes nothing', { sync: 'unknown', peer: PEER, lag: undefined }, [], ''],
]

describe('a copy of the store that is', () => {
  test.each(replicas)('%s', (_, changes, expected, what) => {
    const reasons = replicaReasons({ ...REPLICA, ...changes }, AROUND)
    expect(reasons.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected)
    expect(reasons[0]?.what ?? '').toContain(what)
    for (const { peer } of reasons) expect(peer?.name).toBe('nas')
  })
})
