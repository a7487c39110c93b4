/**
 * How connections and transports end.
 *
 * @module
 */
import { assert, equalBytes } from '@lattice/model'
import { PeerUnreachable } from '../errors.ts'
import {
  assertBytes,
  assertLost,
  connect,
  failureOf,
  noAbort,
  openStream,
  pattern,
  readAll,
  sendAll,
  streamsEnded,
  type TransportCase,
} from './mesh.ts'

export const lifecycleCases: readonly TransportCase[] = [
  {
    name: 'closing a connection ends its streams at both ends, and both learn why',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      const [back, there] = await openStream(incoming, outgoing)
      const waiting = Promise.all([near, far, back, there].map((stream) => assertLost(stream.read())))
      const ended = Promise.all([streamsEnded(outgoing), streamsEnded(incoming)])
      await outgoing.close('enough for today')
      const [here, beyond] = await Promise.all([outgoing.closed, incoming.closed])
      assert(here.by === 'local' && here.message === 'enough for today', 'this side knows that it closed')
      assert(beyond.by === 'remote' && beyond.message === 'enough for today', 'the peer learns the reason')
      await waiting
      assert((await ended).every(Boolean), 'the iterations of streams end')
      for (const stream of [near, far, back, there]) await assertLost(stream.write(pattern(1)))
      await assertLost(outgoing.open())
      await assertLost(incoming.open())
    },
  },
  {
    name: 'closing a connection is idempotent: the first reason stays',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      await outgoing.close('first')
      await outgoing.close('second')
      assert((await outgoing.closed).message === 'first', 'the first reason stays here')
      assert((await incoming.closed).message === 'first', 'and at the peer')
      await incoming.close('third')
      assert((await incoming.closed).by === 'remote', 'an ended connection does not end again')
    },
  },
  {
    name: 'one connection ends without the others, and a new one can be made',
    run: async (mesh) => {
      const { dialer, acceptor, outgoing, incoming } = await mesh.pair()
      const third = await mesh.open(2)
      const other = await connect(third, acceptor)
      await incoming.close('bye')
      await outgoing.closed
      const again = await connect(dialer, acceptor)
      for (const link of [other, again]) {
        const [near, far] = await openStream(link.outgoing, link.incoming)
        await sendAll(near, pattern(300))
        assertBytes(await readAll(far), pattern(300))
      }
    },
  },
  {
    name: 'closing a transport ends its connections and its incoming, and is idempotent',
    run: async (mesh) => {
      const { dialer, acceptor, outgoing, incoming } = await mesh.pair()
      const ended = acceptor.acceptEnded()
      const id = acceptor.transport.id
      const addresses = acceptor.transport.addresses()
      await Promise.all([acceptor.transport.close(), acceptor.transport.close()])
      await acceptor.transport.close()
      assert(await ended, 'the iteration of connections ends')
      assert((await incoming.closed).by === 'local', 'its own end is closed')
      assert((await outgoing.closed).by === 'remote', 'the peer is told')
      const own = { addresses: dialer.transport.addresses(), signal: noAbort() }
      const error = await failureOf(acceptor.transport.connect(dialer.transport.id, own))
      assert(error instanceof PeerUnreachable, 'a closed transport dials nobody')
      const gone = await failureOf(dialer.transport.connect(id, { addresses, signal: noAbort() }))
      assert(gone instanceof PeerUnreachable, 'a closed transport is not reached')
    },
  },
  {
    name: 'closing a transport ends a dial under way',
    run: async (mesh) => {
      const { transport } = await mesh.open(0)
      const { peer, addresses } = mesh.nobody
      const dialling = failureOf(transport.connect(peer, { addresses, signal: noAbort() }))
      await transport.close()
      assert((await dialling) instanceof PeerUnreachable, 'the dial fails')
    },
  },
  {
    name: 'a transport opened again at once has the same key and works',
    run: async (mesh) => {
      const { dialer, acceptor } = await mesh.pair()
      await acceptor.transport.close()
      const reopened = await mesh.open(1)
      assert(equalBytes(reopened.transport.id, acceptor.transport.id), 'the key is the same')
      const { outgoing, incoming } = await connect(dialer, reopened)
      const [near, far] = await openStream(outgoing, incoming)
      await sendAll(near, pattern(300))
      assertBytes(await readAll(far), pattern(300))
    },
  },
]
