/**
 * Two network services that serve one another, over any transport.
 *
 * @module
 */
import { createAbortController, type PublicKey, silentLogger } from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import { createNetworkService, type NetworkService } from '@lattice/net'
import { openIrohTransport } from '@lattice/net-iroh'
import { createSimNetwork } from '@lattice/net-sim'
import { openTlsTransport } from '@lattice/net-tls'
import type { BiStream, Transport } from '@lattice/net-types'
import { clock, crypto, scheduler, seedOf, signerOf } from './world.ts'

/** Numbers of the keys of the two ends: the witness of every store here, and one more. */
const ENDS = [0, 1] as const

export type TransportPair = readonly [Transport, Transport]

/** Ends of a network in memory, so many milliseconds from each other. */
export function simTransports(latencyMs: number): TransportPair {
  const network = createSimNetwork({
    random: createSeededRandom(1),
    scheduler,
    latencyMs: { min: latencyMs, max: latencyMs },
  })
  const open = (number: number): Transport => network.transport(signerOf(number).publicKey)
  return [open(ENDS[0]), open(ENDS[1])]
}

/** Two endpoints on loopback, each with its own thread. */
export async function irohTransports(): Promise<TransportPair> {
  const open = (number: number): Promise<Transport> =>
    openIrohTransport({ secretSeed: seedOf(number), bindAddress: '127.0.0.1:0', relay: 'off', scheduler })
  return [await open(ENDS[0]), await open(ENDS[1])]
}

/** Two listeners on loopback, in this thread. */
export async function tlsTransports(): Promise<TransportPair> {
  const open = (number: number): Promise<Transport> =>
    openTlsTransport({ secretSeed: seedOf(number), bindAddress: '127.0.0.1:0', scheduler })
  return [await open(ENDS[0]), await open(ENDS[1])]
}

/** A node's network on a transport, which it closes. */
export function serviceOn(transport: Transport): NetworkService {
  return createNetworkService({
    transport,
    crypto,
    clock,
    scheduler,
    random: createSeededRandom(2),
    logger: silentLogger,
    joinHandler: { redeem: () => Promise.reject(new Error('nobody is invited here')) },
  })
}

/** Bytes a second over one stream of a bare connection, from the first end to the second. */
export async function rawBytesPerSecond(ends: TransportPair, bytes: number): Promise<number> {
  return await withRawStream(ends, async ({ near, far }) => {
    const startedMs = performance.now()
    await Promise.all([writeAll(far, bytes), readAll(near, bytes)])
    return bytes / ((performance.now() - startedMs) / 1000)
  })
}

/** How long two round trips take on one stream of a bare connection, the second with so many bytes each way. */
export async function rawRoundTripsMs(ends: TransportPair, [there, back]: readonly [number, number]): Promise<number> {
  return await withRawStream(ends, async ({ near, far }) => {
    const startedMs = performance.now()
    for (const [asked, answered] of [
      [1, 1],
      [there, back],
    ] as const) {
      await Promise.all([writeAll(near, asked), readAll(far, asked)])
      await Promise.all([writeAll(far, answered), readAll(near, answered)])
    }
    return performance.now() - startedMs
  })
}

interface RawStream {
  readonly near: BiStream
  readonly far: BiStream
}

/** Runs work on both ends of a stream that the second end opened, and closes its connection once that went well. */
async function withRawStream<T>([to, from]: TransportPair, work: (stream: RawStream) => Promise<T>): Promise<T> {
  const { signal } = createAbortController()
  const [connection, accepted] = await Promise.all([
    from.connect(to.id, { addresses: to.addresses(), signal }),
    first(to.incoming),
  ])
  const near = await connection.open()
  // The peer sees a stream with what is written to it.
  await near.write(new Uint8Array(1))
  const far = await first(accepted.streams)
  await far.read()
  const result = await work({ near, far })
  await connection.close('done')
  return result
}

/** As large as the frames of a session. */
const CHUNK_BYTES: number = 256 * 1024

async function writeAll(stream: BiStream, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= CHUNK_BYTES) await stream.write(new Uint8Array(Math.min(left, CHUNK_BYTES)))
}

async function readAll(stream: BiStream, bytes: number): Promise<void> {
  let left = bytes
  while (left > 0) {
    const chunk = await stream.read()
    if (chunk === undefined) break
    left -= chunk.length
  }
  if (left !== 0) throw new Error(`${left} bytes did not arrive`)
}

async function first<T>(items: AsyncIterable<T>): Promise<T> {
  const next = await items[Symbol.asyncIterator]().next()
  if (next.done === true) throw new Error('nothing came')
  return next.value
}

export interface ServicePair {
  /** Of the key that witnesses every store here, so that it can serve one. */
  readonly server: NetworkService
  /** Where the server is. */
  readonly hint: { readonly peer: PublicKey; readonly addresses: readonly string[] }
  readonly client: NetworkService
}

/** Runs work on two services, and closes them whatever comes of it. */
export async function withServices<T>([a, b]: TransportPair, work: (services: ServicePair) => Promise<T>): Promise<T> {
  const hint = { peer: a.id, addresses: a.addresses() }
  await using server = serviceOn(a)
  await using client = serviceOn(b)
  return await work({ server, hint, client })
}
