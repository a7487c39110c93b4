import { PassThrough } from 'node:stream'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { daemon, system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createFakeNode, idOf } from '../../test/fake-node.ts'
import { run } from '../../test/fake-process.ts'
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
      { case: 'epochWaiting', value: { storeId, epoch: idOf(0xee), seq: 4n, waitingFor: [peer, idOf(7)], total: 2n } },
      'epoch 4 of store 111111111111 waits for cdcdcdcdcdcd, 070707070707 to acknowledge it (eeeeeeeeeeee)',
    ],
    [
      { case: 'epochWaiting', value: { storeId, epoch: idOf(0xee), seq: 4n, waitingFor: [peer], total: 3n } },
      'epoch 4 of store 111111111111 waits for cdcdcdcdcdcd and 2 more to acknowledge it (eeeeeeeeeeee)',
    ],
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

test("'node events' names whom an epoch waits for as their store does", async () => {
  const node = createFakeNode(['team'])
  const stdout = Object.assign(new PassThrough(), { isTTY: false, columns: 80 })
  const printed: string[] = []
  let interrupt = (_exitCode: number): void => undefined
  stdout.on('data', (chunk: Buffer) => {
    printed.push(chunk.toString())
    interrupt(0)
  })
  const followed = node.followed()
  const ran = run(['node', 'events'], { ...node, stdout, onStart: (handler) => void (interrupt = handler) })
  await followed
  const value = create(daemon.EpochWaitingSchema, {
    storeId,
    epoch: idOf(0xee),
    seq: 4n,
    waitingFor: [peer],
    total: 1n,
  })
  node.emit({ case: 'epochWaiting', value })
  await ran
  expect(printed.join('')).toContain('epoch 4 of store 111111111111 waits for nas to acknowledge it')
})
