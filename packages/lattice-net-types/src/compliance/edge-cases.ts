/**
 * Where transports differ when nobody looks: half-closed streams, full ones, ends with much under way, and dials that cross.
 *
 * @module
 */
import { assert, createAbortController } from '@lattice/model'
import { PeerUnreachable, StreamLost } from '../errors.ts'
import type { Connection } from '../transport.ts'
import {
  assertBytes,
  assertLost,
  connect,
  failureOf,
  nextStream,
  noAbort,
  openStream,
  pattern,
  readAll,
  sendAll,
  type TransportCase,
} from './mesh.ts'

const BULK_BYTES: number = 2 * 1024 * 1024
const OPEN_STREAMS = 8
/** More than any transport lets be open at once: some have to wait for the others to end. */
const MANY_STREAMS = 300

export const edgeCases: readonly TransportCase[] = [
  {
    name: 'a side that has finished gets much in answer, while the other has finished nothing',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const near = await outgoing.open()
      await near.finish()
      const far = await nextStream(incoming)
      const [answer] = await Promise.all([readAll(near), sendAll(far, pattern(BULK_BYTES))])
      assertBytes(answer, pattern(BULK_BYTES))
      assert((await far.read()) === undefined, 'the first side wrote nothing')
    },
  },
  {
    name: 'a stream half-closed by one side can be reset by the other, and both learn of it',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const [near, far] = await openStream(outgoing, incoming)
      await near.finish()
      assert((await far.read()) === undefined, 'the end arrives')
      far.reset()
      await assertLost(near.read())
      await assertLost(far.write(pattern(1)))
    },
  },
  {
    name: 'large transfers over several streams arrive intact side by side, those of both sides',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const send = async (from: Connection, salt: number): Promise<void> => {
        const stream = await from.open()
        // Its number goes ahead: streams come in as they were opened, or not.
        await stream.write(Uint8Array.of(salt))
        await sendAll(stream, pattern(BULK_BYTES / 4, salt))
      }
      const take = async (at: Connection): Promise<void> => {
        const streams = [await nextStream(at), await nextStream(at)]
        const received = await Promise.all(streams.map(readAll))
        for (const bytes of received) assertBytes(bytes.subarray(1), pattern(BULK_BYTES / 4, bytes[0]))
      }
      const sending = [send(outgoing, 1), send(outgoing, 2), send(incoming, 3), send(incoming, 4)]
      await Promise.all([...sending, take(outgoing), take(incoming)])
    },
  },
  {
    name: 'more streams than may be open wait for their turn, and all are served',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const ask = async (index: number): Promise<void> => {
        const stream = await outgoing.open()
        await sendAll(stream, pattern(10, index))
        assertBytes(await readAll(stream), pattern(10, index))
      }
      const serve = async (): Promise<void> => {
        for (let served = 0; served < MANY_STREAMS; served += 1) {
          const stream = await nextStream(incoming)
          await sendAll(stream, await readAll(stream))
        }
      }
      await Promise.all([serve(), ...Array.from({ length: MANY_STREAMS }, (_, index) => ask(index))])
    },
  },
  {
    name: 'closing a connection with streams open, some of them full, ends each of them',
    run: async (mesh) => {
      const { outgoing, incoming } = await mesh.pair()
      const pairs = []
      for (let index = 0; index < OPEN_STREAMS; index += 1) pairs.push(await openStream(outgoing, incoming))
      // More than a window each: these writes wait, since nobody reads.
      const writes = pairs.map(([near]) => outcomeOf(near.write(pattern(4 * BULK_BYTES))))
      const reads = pairs.map(([near]) => outcomeOf(near.read()))
      await incoming.close('enough')
      for (const outcome of await Promise.all([...writes, ...reads])) {
        assert(outcome instanceof StreamLost, 'what waits is lost')
      }
      assert((await outgoing.closed).message === 'enough', 'the reason arrives past all that was under way')
      for (const [near, far] of pairs) {
        await assertLost(near.write(pattern(1)))
        await assertLost(readAll(far))
      }
    },
  },
  {
    name: 'closing a transport with a transfer under way ends it, and the peer learns of it',
    run: async (mesh) => {
      const { acceptor, outgoing, incoming } = await mesh.pair()
      const [near] = await openStream(outgoing, incoming)
      const writing = outcomeOf(near.write(pattern(8 * BULK_BYTES)))
      await acceptor.transport.close()
      assert((await writing) instanceof StreamLost, 'the write is lost')
      await outgoing.closed
      await assertLost(outgoing.open())
    },
  },
  {
    name: 'a dial aborted at any moment leaves both sides as they were',
    run: async (mesh) => {
      const [dialer, acceptor] = [await mesh.open(0), await mesh.open(1)]
      const { addresses, id } = { addresses: acceptor.transport.addresses(), id: acceptor.transport.id }
      for (let turns = 0; turns < 8; turns += 1) {
        const controller = createAbortController()
        const reason = new Error(`called off after ${turns} turns`)
        const dialling = outcomeOf(dialer.transport.connect(id, { addresses, signal: controller.signal }))
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        controller.abort(reason)
        assert((await dialling) === reason, 'the dial rejects with the reason')
      }
      // Those that got through after all are closed by the dialler: the one that is wanted lives.
      const { outgoing } = await connectAmongOthers(dialer, acceptor)
      const stream = await outgoing.open()
      await stream.finish()
      stream.reset()
    },
  },
  {
    name: 'two nodes that dial each other at once both get through',
    run: async (mesh) => {
      const [a, b] = [await mesh.open(0), await mesh.open(1)]
      const [first, second] = await Promise.all([connect(a, b), connect(b, a)])
      for (const { outgoing, incoming } of [first, second]) {
        const [near, far] = await openStream(outgoing, incoming)
        await sendAll(near, pattern(300))
        assertBytes(await readAll(far), pattern(300))
      }
      await first.outgoing.close('one is enough')
      await first.incoming.closed
      const [near, far] = await openStream(second.outgoing, second.incoming)
      await sendAll(near, pattern(300))
      assertBytes(await readAll(far), pattern(300))
    },
  },
  {
    name: 'a peer that is gone is unreachable, and no dial to it outlives its transport',
    run: async (mesh) => {
      const { dialer, acceptor } = await mesh.pair()
      const { id } = acceptor.transport
      const addresses = acceptor.transport.addresses()
      await acceptor.transport.close()
      const dialling = failureOf(dialer.transport.connect(id, { addresses, signal: noAbort() }))
      await dialer.transport.close()
      assert((await dialling) instanceof PeerUnreachable, 'the dial ends with the transport at the latest')
    },
  },
]

/** The result or the failure of a promise. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return error
  }
}

/** Connects, where connections that were given up may still come in before. */
async function connectAmongOthers(
  ...[dialer, acceptor]: Parameters<typeof connect>
): Promise<Pick<Awaited<ReturnType<typeof connect>>, 'outgoing'>> {
  const { transport } = acceptor
  const options = { addresses: transport.addresses(), signal: noAbort() }
  const outgoing = await dialer.transport.connect(transport.id, options)
  const stream = await outgoing.open()
  await stream.write(pattern(1))
  for (;;) {
    const incoming = await acceptor.accept()
    const ended = await Promise.race([
      incoming.closed.then(() => true),
      nextStream(incoming).then(
        () => false,
        () => true,
      ),
    ])
    if (!ended) return { outgoing }
  }
}
