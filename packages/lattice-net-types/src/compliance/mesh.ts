/**
 * The nodes of one case, and the steps the cases share.
 *
 * @module
 */
import { type AbortSignal, assert, concatBytes, createAbortController, equalBytes } from '@lattice/model'
import { StreamLost } from '../errors.ts'
import type { BiStream, Connection, Transport } from '../transport.ts'
import type { TransportHarness } from './harness.ts'

export interface Mesh {
  readonly nobody: TransportHarness['nobody']
  /** Opens node `index`; closed with the case. */
  readonly open: (index: number) => Promise<Node>
  /** Nodes 0 and 1, connected; node 0 dialled. */
  readonly pair: () => Promise<Pair>
  readonly close: () => Promise<void>
}

export interface Node {
  readonly transport: Transport
  /** The next connection a peer made. */
  readonly accept: () => Promise<Connection>
  /** Whether `incoming` has ended. */
  readonly acceptEnded: () => Promise<boolean>
}

export interface Pair {
  readonly dialer: Node
  readonly acceptor: Node
  readonly outgoing: Connection
  readonly incoming: Connection
}

/** A rule and its check against freshly opened nodes. */
export interface TransportCase {
  readonly name: string
  readonly run: (mesh: Mesh) => Promise<void>
}

/** A signal that is never aborted. */
export function noAbort(): AbortSignal {
  return createAbortController().signal
}

export function openMesh(harness: TransportHarness): Mesh {
  const opened: Transport[] = []
  const open = async (index: number): Promise<Node> => {
    const transport = await harness.open(index)
    opened.push(transport)
    const incoming = transport.incoming[Symbol.asyncIterator]()
    return {
      transport,
      accept: async () => {
        const next = await incoming.next()
        assert(next.done !== true, 'a connection comes in')
        return next.value
      },
      acceptEnded: async () => (await incoming.next()).done === true,
    }
  }
  return {
    nobody: harness.nobody,
    open,
    pair: async () => {
      const [dialer, acceptor] = [await open(0), await open(1)]
      return { dialer, acceptor, ...(await connect(dialer, acceptor)) }
    },
    close: async () => {
      for (const transport of opened) await transport.close()
    },
  }
}

/** Connects two nodes and returns both ends. */
export async function connect(dialer: Node, acceptor: Node): Promise<Pick<Pair, 'outgoing' | 'incoming'>> {
  const { transport } = acceptor
  const dialling = dialer.transport.connect(transport.id, { addresses: transport.addresses(), signal: noAbort() })
  const [outgoing, incoming] = await Promise.all([dialling, acceptor.accept()])
  return { outgoing, incoming }
}

/** Opens a stream, shows it with one byte, and returns both its ends. The byte is read away. */
export async function openStream(from: Connection, to: Connection): Promise<readonly [BiStream, BiStream]> {
  const near = await from.open()
  await near.write(new Uint8Array([1]))
  const far = await nextStream(to)
  const first = await far.read()
  assert(first?.length === 1, 'the first byte arrives')
  return [near, far]
}

const iterators = new WeakMap<Connection, AsyncIterator<BiStream>>()

function streamsOf(connection: Connection): AsyncIterator<BiStream> {
  const known = iterators.get(connection) ?? connection.streams[Symbol.asyncIterator]()
  iterators.set(connection, known)
  return known
}

/** The next stream the peer opened. */
export async function nextStream(connection: Connection): Promise<BiStream> {
  const next = await streamsOf(connection).next()
  assert(next.done !== true, 'a stream comes in')
  return next.value
}

/** Whether the iteration of streams has ended. */
export async function streamsEnded(connection: Connection): Promise<boolean> {
  return (await streamsOf(connection).next()).done === true
}

/** Everything up to the peer's finish. */
export async function readAll(stream: BiStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
    assert(chunk.length > 0, 'a read gives at least one byte')
    chunks.push(chunk)
  }
  return concatBytes(...chunks)
}

/** Writes `bytes` and finishes. */
export async function sendAll(stream: BiStream, bytes: Uint8Array): Promise<void> {
  await stream.write(bytes)
  await stream.finish()
}

/** Bytes that differ from place to place and from salt to salt. */
export function pattern(length: number, salt = 0): Uint8Array {
  let state = 0x9e3779b9 ^ Math.imul(salt + 1, 0x85ebca6b)
  return new Uint8Array(length).map(() => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return state >>> 24
  })
}

export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert(actual.length === expected.length, `${expected.length} bytes arrive, not ${actual.length}`)
  assert(equalBytes(actual, expected), 'the bytes arrive unchanged')
}

/** The failure of `promise`; a promise that resolves is a failed case. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('expected a rejection')
}

export async function assertLost(promise: Promise<unknown>): Promise<void> {
  const error = await failureOf(promise)
  assert(error instanceof StreamLost, `the failure is a StreamLost, not ${String(error)}`)
}
