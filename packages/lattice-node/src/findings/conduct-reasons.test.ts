import { toPublicKey } from '@lattice/model'
import { expect, test } from 'vitest'
import { conductReasons } from './conduct-reasons.ts'
import type { PeerSnapshot } from './store-snapshot.ts'

const GOOD: PeerSnapshot['conduct'] = { standing: 'good', score: 0, drained: [], heldBytes: 0 }
const PEER: PeerSnapshot = {
  publicKey: toPublicKey(new Uint8Array(32).fill(0xcd)),
  name: 'nas',
  online: true,
  connected: true,
  elsewhere: false,
  dormant: false,
  lastSeenMs: 0,
  addresses: [],
  dial: undefined,
  conduct: GOOD,
  mutedForMs: 0,
  troubles: { refusal: undefined, misbehaviour: undefined, ended: undefined },
}
const broke = (message: string): Partial<PeerSnapshot> => ({
  troubles: { ...PEER.troubles, misbehaviour: { code: 'x', message, atMs: 0 } },
})

test.each<[string, Partial<PeerSnapshot>, readonly string[]]>([
  ['nothing of one that did nothing wrong', {}, []],
  ['nothing of what is long forgiven', broke('sent 3 invalid intentions'), []],
  [
    'a score',
    { conduct: { ...GOOD, score: 12 }, ...broke('sent 3 invalid intentions.') },
    ['info peer_scored nas did wrong of late and has a score of 12 of 100: sent 3 invalid intentions'],
  ],
  [
    'one that is not served',
    { conduct: { ...GOOD, standing: 'muted', score: 57 }, ...broke('asked for too much at once (digests)') },
    [
      'warning peer_unserved nas is not served until its score, 57 of 100, is below 50: asked for too much at once (digests)',
    ],
  ],
  [
    'one that is shut out, for how long',
    { mutedForMs: 90_000, conduct: { ...GOOD, standing: 'shut_out' }, ...broke('sent too much') },
    ['warning peer_muted nas is shut out for another 1 min: sent too much'],
  ],
  [
    'one that is shut out for what is forgotten',
    { mutedForMs: 90_000, conduct: { ...GOOD, standing: 'shut_out' } },
    ['warning peer_muted nas is shut out for another 1 min'],
  ],
  [
    'one that used up what it may',
    { conduct: { ...GOOD, drained: ['log_reads', 'ranges'] } },
    ['info peer_held_back nas asks for more than it may and is held back: log_reads and ranges'],
  ],
])('tells %s', (_, fields, told) => {
  const reasons = conductReasons({ ...PEER, ...fields })
  expect(reasons.map(({ severity, code, what }) => `${severity} ${code} ${what}`)).toEqual(told)
  for (const { peer } of reasons) expect(peer?.name).toBe('nas')
})
