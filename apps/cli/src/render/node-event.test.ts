import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { daemon, system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { idOf } from '../../test/fake-node.ts'
import { nodeEventSentence } from './node-event.ts'
import { PLAIN_STYLE } from './style.ts'

type Event = NonNullable<MessageInitShape<typeof daemon.NodeEventSchema>['event']>

const sentence = (event: Event): string =>
  nodeEventSentence(create(daemon.NodeEventSchema, { event }), { style: PLAIN_STYLE, full: false })

const store = { id: idOf(0x11), path: 'team/notes', name: 'notes' }
const [storeId, peer] = [idOf(0x11), idOf(0xcd)]

describe('what happens to stores and peers, as a sentence', () => {
  const sentences: readonly (readonly [Event, string])[] = [
    [
      { case: 'storeChanged', value: { ...store, state: daemon.StoreState.ARCHIVED } },
      'store team/notes (111111111111) is archived',
    ],
    [{ case: 'storeChanged', value: { id: storeId, state: daemon.StoreState.ACTIVE } }, 'store 111111111111 is active'],
    [
      { case: 'storeChanged', value: { id: storeId, path: '111111111111', state: daemon.StoreState.BOOTSTRAPPING } },
      'store 111111111111 is bootstrapping',
    ],
    [{ case: 'storeRemoved', value: { storeId } }, 'store 111111111111 is no longer on this node'],
    [
      {
        case: 'peerChanged',
        value: { storeId, peer, name: 'nas', status: system.PeerStatus.ACTIVE, role: system.Role.WRITER },
      },
      'peer nas (cdcdcdcdcdcd) is an active writer of 111111111111',
    ],
    [
      { case: 'peerChanged', value: { storeId, peer, status: system.PeerStatus.DORMANT, role: system.Role.ADMIN } },
      'peer cdcdcdcdcdcd is a dormant admin of 111111111111',
    ],
    [
      { case: 'peerLag', value: { storeId, peer, lag: { unseen: 12n } } },
      'peer cdcdcdcdcdcd is 12 intentions behind in 111111111111',
    ],
    [{ case: 'peerLag', value: { storeId, peer, lag: {} } }, 'peer cdcdcdcdcdcd has caught up in 111111111111'],
    [
      { case: 'inviteClaimed', value: { storeId, claimedBy: peer, tokenHash: idOf(3), usesLeft: 1 } },
      'peer cdcdcdcdcdcd joined 111111111111 with invite 030303030303: 1 use left',
    ],
  ]

  test.each(sentences.map(([event, text]) => [text, event] as const))('%s', (text, event) => {
    expect(sentence(event)).toBe(text)
  })

  test('names from peers drive no terminal', () => {
    const named = { case: 'storeChanged', value: { id: storeId, path: 'a\u001B[2J', state: 2 } } as const
    expect(sentence(named)).not.toContain('\u001B')
  })
})
