/**
 * A hostile peer with the key of an admitted node: it speaks frames of its own choice, and no protocol.
 *
 * It stays connected as far as it is let: it answers pings, dials again when it may, and resets every other stream that is
 * opened to it. What comes back is counted by kind, so that the work of the other side can be told from outside.
 */
import { createAbortController, type KeyPair } from '@lattice/model'
import { createFrameDecoder, encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { net } from '@lattice/proto'
import type { SimMesh } from '../src/index.ts'

export interface RawStream {
  /** Rejects once the stream is gone. */
  readonly write: (frame: FrameInit) => Promise<void>
  readonly reset: () => void
  /** Resolves once so many frames came, or the stream is gone. */
  readonly answers: (count: number) => Promise<void>
  /** Settles when nothing more comes. */
  readonly ended: Promise<void>
}

export interface RawPeer {
  /** What came back so far, by kind; a refusal by its code, also one of a note. */
  readonly heard: ReadonlyMap<string, number>
  readonly count: (kind: string) => number
  /** Streams that the other side opened, by protocol. */
  readonly asked: (protocol: net.Protocol) => number
  readonly connect: () => Promise<Connection>
  /** Opens a stream for a protocol on the connection that is there. */
  readonly open: (protocol: net.Protocol) => Promise<RawStream>
  readonly isConnected: () => boolean
  /** Connections that were ended by the other side. */
  readonly shutOut: () => number
  readonly close: () => Promise<void>
}

const { signal } = createAbortController()

/** Takes the place of a node that is down, or is nobody's key, and speaks to node `to`. `wallMs`: what it says is the time. */
export function createRawPeer(
  mesh: SimMesh,
  keyPair: KeyPair,
  to: number,
  wallMs: () => number = mesh.time.scheduler.clock.wallMs,
): RawPeer {
  const transport = mesh.network.transport(keyPair.publicKey)
  const heard = new Map<string, number>()
  const asked = new Map<net.Protocol, number>()
  let current: Connection | undefined
  let shutOut = 0
  const note = (kind: string): void => {
    heard.set(kind, (heard.get(kind) ?? 0) + 1)
  }
  const wallTime = (): bigint => BigInt(wallMs())
  const serveStream = async (stream: BiStream): Promise<void> => {
    const protocol = await readProtocol(stream)
    if (protocol !== undefined) asked.set(protocol, (asked.get(protocol) ?? 0) + 1)
    if (protocol !== net.Protocol.PING) return stream.reset()
    await stream.write(encodeFrame({ case: 'accepted', value: { version: 1, wallTime: wallTime() } }))
    await stream.finish()
  }
  const serve = async (connection: Connection): Promise<void> => {
    for await (const stream of connection.streams) serveStream(stream).catch(() => undefined)
  }
  turnAway(transport).catch(() => undefined)

  return {
    heard,
    count: (kind) => heard.get(kind) ?? 0,
    asked: (protocol) => asked.get(protocol) ?? 0,
    connect: async () => {
      const { addresses } = mesh.node(to).network
      const connection = await transport.connect(mesh.node(to).id, { addresses: addresses(), signal })
      current = connection
      serve(connection).catch(() => undefined)
      connection.closed
        .then(({ by }) => {
          if (current === connection) current = undefined
          if (by === 'remote') shutOut += 1
        })
        .catch(() => undefined)
      return connection
    },
    open: async (protocol) => {
      if (current === undefined) throw new Error('there is no connection')
      const stream = await current.open()
      const write = (frame: FrameInit): Promise<void> => stream.write(encodeFrame(frame))
      let come = 0
      const waiting: { readonly count: number; readonly resolve: () => void }[] = []
      const tell = (): void => {
        for (const { count, resolve } of waiting) if (come >= count) resolve()
      }
      const ended = follow(stream, (kind) => {
        note(kind)
        come += 1
        tell()
      }).finally(() => {
        come = Infinity
        tell()
      })
      const answers = (count: number): Promise<void> =>
        new Promise((resolve) => {
          waiting.push({ count, resolve })
          tell()
        })
      await write({ case: 'open', value: { protocol, version: 1, wallTime: wallTime() } })
      return { write, reset: stream.reset, answers, ended }
    },
    isConnected: () => current !== undefined,
    shutOut: () => shutOut,
    close: () => transport.close(),
  }
}

async function turnAway(transport: Transport): Promise<void> {
  for await (const connection of transport.incoming) connection.close('not now').catch(() => undefined)
}

async function readProtocol(stream: BiStream): Promise<net.Protocol | undefined> {
  const decoder = createFrameDecoder()
  for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
    decoder.push(bytes)
    const next = decoder.next()
    if (!next.ok) return undefined
    if (next.value !== undefined) return next.value.case === 'open' ? next.value.value.protocol : undefined
  }
  return undefined
}

async function follow(stream: BiStream, note: (kind: string) => void): Promise<void> {
  const decoder = createFrameDecoder()
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      decoder.push(bytes)
      for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next())
        note(kindOf(next.value))
    }
  } catch {
    // Reset: what came before counts.
  }
}

function kindOf(frame: Frame): string {
  if (frame.case === 'refused') return `refused ${refusalName(frame.value.code)}`
  if (frame.case === 'noted' && frame.value.refused !== net.RefusalCode.UNSPECIFIED) return 'noted as strange'
  return frame.case
}

function refusalName(code: net.RefusalCode): string {
  return Object.entries(net.RefusalCode).find(([, value]) => value === code)?.[0] ?? String(code)
}
