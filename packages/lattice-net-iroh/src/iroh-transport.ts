/**
 * The QUIC transport of a node, run by a worker thread.
 *
 * The node's Ed25519 key is its endpoint key, so whoever answers a dial has proved to be the peer. This side holds no socket
 * and no native handle: when the worker has ended, everything is released. Where dials are under way as it closes, that is
 * a few seconds after `close` has resolved, or as the process ends.
 *
 * @module
 */
import { readPublicKey, assert, type Scheduler, type Seed } from '@lattice/model'
import {
  CONNECT_TIMEOUT_MS,
  type Connection,
  type DialOptions,
  PeerUnreachable,
  StreamLost,
  type Transport,
} from '@lattice/net-types'
import type { PublicKey } from '@lattice/model'
import { startWorker, type WorkerClient } from './worker-client.ts'
import { createWorkerConnection } from './worker-connection.ts'

/**
 * Closing is over after this. The peers are told within a few round trips; the endpoint then waits for dials that nobody
 * answered, three seconds and more, and nothing can come of them.
 */
const SHUTDOWN_TIMEOUT_MS = 500

export interface IrohTransportOptions {
  /** The node's Ed25519 seed. */
  readonly secretSeed: Seed
  /** `ip:port` to listen on, port 0 for a free one; by default a free port of every interface. */
  readonly bindAddress?: string
  /** `off`: no relay and no lookup service is ever contacted. `default`: those of the iroh project are. */
  readonly relay: 'off' | 'default'
  /** For the deadlines of dials and handshakes. */
  readonly scheduler: Scheduler
  readonly connectTimeoutMs?: number
  /** Told of failures that belong to no call. Of these only `WorkerFailed` ends the transport. */
  readonly onError?: (error: unknown) => void
}

/** Listens and dials. Rejects with `BindFailed`, or `IrohUnavailable` where there is no native build. */
export async function openIrohTransport(options: IrohTransportOptions): Promise<Transport> {
  const { secretSeed, bindAddress, relay, scheduler, onError = ignore } = options
  const client = await startWorker({ secretSeed, bindAddress, relay }, { scheduler, onError })
  const id = readPublicKey(client.id)
  assert(id !== undefined, 'an endpoint has a key of 32 bytes')
  const dial = createDialer(client, options)
  let closing: Promise<void> | undefined

  return {
    name: 'iroh',
    id,
    connect: (peer, dialOptions) => dial(peer, dialOptions),
    incoming: {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const name = await client.call({ op: 'accept' }).catch(() => undefined)
          if (name === undefined) return { done: true, value: undefined }
          return { done: false, value: createWorkerConnection(client, name, false) }
        },
      }),
    },
    addresses: () => {
      if (closing !== undefined) return []
      // The native watchers bring the process down, so a change is learnt of by asking: the next call knows it.
      client.tell({ op: 'refreshAddresses' })
      return client.addresses()
    },
    close: () => (closing ??= shutDown(client, scheduler)),
  }
}

/**
 * At the deadline the thread is left to end by itself: the native side does not survive a thread that is ended while calls
 * are under way in it, and the process may end before it.
 */
async function shutDown(client: WorkerClient, scheduler: Scheduler): Promise<void> {
  const deadline = new Promise<void>((resolve) => {
    const cancel = scheduler.after(SHUTDOWN_TIMEOUT_MS, () => {
      client.release()
      resolve()
    })
    client.exited.then(cancel, ignore)
  })
  // A worker that has ended already refuses: there is nothing left to close.
  client.call({ op: 'shutdown' }).catch(ignore)
  await Promise.race([client.exited, deadline])
}

function createDialer(
  client: WorkerClient,
  { scheduler, connectTimeoutMs = CONNECT_TIMEOUT_MS }: IrohTransportOptions,
): (peer: PublicKey, options: DialOptions) => Promise<Connection> {
  let dialCount = 0
  return async (peer, { addresses, signal }) => {
    signal.throwIfAborted()
    const dial = dialCount
    dialCount += 1
    let why: string | undefined
    const giveUp = (): void => client.tell({ op: 'abortDial', dial })
    const cancelDeadline = scheduler.after(connectTimeoutMs, () => {
      why = `no answer within ${connectTimeoutMs} ms`
      giveUp()
    })
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      const name = await client.call({ op: 'connect', dial, peer: Uint8Array.from(peer), addresses })
      const connection = createWorkerConnection(client, name, true)
      if (!signal.aborted) return connection
      // It came up in the same moment: the worker could no longer call it off.
      await connection.close('the dial was abandoned')
      throw signal.reason
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof StreamLost)) throw error
      throw new PeerUnreachable(peer, addresses, { cause: new Error(why ?? error.message) })
    } finally {
      cancelDeadline()
      signal.removeEventListener('abort', giveUp)
    }
  }
}

function ignore(): void {
  // The caller does not want to be told.
}
