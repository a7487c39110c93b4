/**
 * Who is connected, and who is not.
 *
 * @module
 */
import { assert, createAbortController, equalBytes } from '@lattice/model'
import { PeerUnreachable } from '../errors.ts'
import {
  assertBytes,
  connect,
  failureOf,
  noAbort,
  openStream,
  pattern,
  readAll,
  sendAll,
  type TransportCase,
} from './mesh.ts'

export const connectionCases: readonly TransportCase[] = [
  {
    name: 'each end knows the proved key of the other',
    run: async (mesh) => {
      const { dialer, acceptor, outgoing, incoming } = await mesh.pair()
      assert(equalBytes(outgoing.peer, acceptor.transport.id), 'the dialler sees the key it dialled')
      assert(equalBytes(incoming.peer, dialer.transport.id), 'the acceptor sees the key of the dialler')
      assert(outgoing.outgoing && !incoming.outgoing, 'each end knows who dialled')
    },
  },
  {
    name: 'a node with another key than the one dialled is refused, and is not bothered',
    run: async (mesh) => {
      const [dialer, acceptor] = [await mesh.open(0), await mesh.open(1)]
      const options = { addresses: acceptor.transport.addresses(), signal: noAbort() }
      const error = await failureOf(dialer.transport.connect(mesh.nobody.peer, options))
      assert(error instanceof PeerUnreachable, 'the wrong key is unreachable')
      const { incoming } = await connect(dialer, acceptor)
      assert(equalBytes(incoming.peer, dialer.transport.id), 'the first connection to come in is the right one')
    },
  },
  {
    name: 'a dial that nobody answers ends as unreachable',
    run: async (mesh) => {
      const { transport } = await mesh.open(0)
      const { peer, addresses } = mesh.nobody
      const error = await failureOf(transport.connect(peer, { addresses, signal: noAbort() }))
      assert(error instanceof PeerUnreachable, 'nobody is unreachable')
      assert(error.code === 'PEER_UNREACHABLE', 'the code says so')
    },
  },
  {
    name: 'a dial of oneself ends as unreachable',
    run: async (mesh) => {
      const { transport } = await mesh.open(0)
      const options = { addresses: transport.addresses(), signal: noAbort() }
      assert((await failureOf(transport.connect(transport.id, options))) instanceof PeerUnreachable, 'refused')
    },
  },
  {
    name: 'a dial rejects with the reason of an abort, before it or during it',
    run: async (mesh) => {
      const { transport } = await mesh.open(0)
      const { peer, addresses } = mesh.nobody
      const reason = new Error('changed my mind')
      const controller = createAbortController()
      const dialling = failureOf(transport.connect(peer, { addresses, signal: controller.signal }))
      controller.abort(reason)
      assert((await dialling) === reason, 'the pending dial rejects with the reason')
      const late = failureOf(transport.connect(peer, { addresses, signal: controller.signal }))
      assert((await late) === reason, 'a dial with an aborted signal rejects with the reason')
    },
  },
  {
    name: 'an abort after the dial leaves the connection alone',
    run: async (mesh) => {
      const [dialer, acceptor] = [await mesh.open(0), await mesh.open(1)]
      const controller = createAbortController()
      const options = { addresses: acceptor.transport.addresses(), signal: controller.signal }
      const dialling = dialer.transport.connect(acceptor.transport.id, options)
      const [outgoing, incoming] = await Promise.all([dialling, acceptor.accept()])
      controller.abort(new Error('too late'))
      const [near, far] = await openStream(outgoing, incoming)
      await sendAll(near, pattern(100))
      assertBytes(await readAll(far), pattern(100))
    },
  },
  {
    name: 'addresses in other notations, or in none, are passed over',
    run: async (mesh) => {
      const [dialer, acceptor] = [await mesh.open(0), await mesh.open(1)]
      const own = acceptor.transport.addresses()
      const addresses = [
        'serial:/dev/null',
        '',
        ':',
        `${dialer.transport.name}:`,
        `${dialer.transport.name}:\u0000`,
        ...own,
      ]
      const dialling = dialer.transport.connect(acceptor.transport.id, { addresses, signal: noAbort() })
      const [outgoing] = await Promise.all([dialling, acceptor.accept()])
      assert(equalBytes(outgoing.peer, acceptor.transport.id), 'connected')
    },
  },
  {
    name: 'a node holds connections with several peers, each its own',
    run: async (mesh) => {
      const hub = await mesh.open(0)
      for (const index of [1, 2, 3]) {
        const node = await mesh.open(index)
        const { outgoing, incoming } = await connect(node, hub)
        assert(equalBytes(incoming.peer, node.transport.id), 'the connection is of the node that dialled')
        const [near, far] = await openStream(outgoing, incoming)
        await sendAll(near, pattern(1000, index))
        assertBytes(await readAll(far), pattern(1000, index))
      }
    },
  },
]
