/**
 * How the two ends of a connection agree which paths are its own.
 *
 * On every path the dialler first opens one stream, the path's control stream, and names the connection by a number it drew.
 * The acceptor answers with a number that it drew when it started. A path joins a connection only where the number is the same
 * and the proved key is the same, so a peer that names another's connection has begun one of its own; and a dialler that is
 * answered with another number than before knows that the peer has started anew.
 *
 * @module
 */
import { concatBytes } from '@lattice/model'
import { type BiStream, type Connection, StreamLost } from '@lattice/net-types'

/** Bytes of the numbers: nobody guesses one, and no two are ever the same. */
export const PATH_NUMBER_BYTES = 16
const PREFACE_VERSION = 1
const PREFACE_BYTES: number = 1 + PATH_NUMBER_BYTES

/** A path whose ends agree on what it belongs to. */
export interface AgreedPath {
  readonly connection: Connection
  readonly control: BiStream
  /** Streams the peer opened, after the control stream. */
  readonly streams: AsyncIterator<BiStream>
  /** The peer's number: of the connection where it dialled, else of its start. */
  readonly number: Uint8Array
}

/** The dialler's part. Rejects with `StreamLost`. */
export async function offerPath(connection: Connection, connectionNumber: Uint8Array): Promise<AgreedPath> {
  const control = await connection.open()
  await control.write(preface(connectionNumber))
  const number = await readPreface(control)
  return { connection, control, streams: connection.streams[Symbol.asyncIterator](), number }
}

/** The acceptor's part, up to the dialler's number. Rejects with `StreamLost`. */
export async function meetPath(connection: Connection): Promise<AgreedPath> {
  const streams = connection.streams[Symbol.asyncIterator]()
  const first = await streams.next()
  if (first.done === true) throw new StreamLost('it ended before it said what it belongs to')
  return { connection, control: first.value, streams, number: await readPreface(first.value) }
}

/** The acceptor's answer. */
export async function answerPath({ control }: AgreedPath, startNumber: Uint8Array): Promise<void> {
  await control.write(preface(startNumber))
}

function preface(number: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(PREFACE_VERSION), number)
}

async function readPreface(control: BiStream): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array(0)
  while (bytes.length < PREFACE_BYTES) {
    const more = await control.read()
    if (more === undefined) throw new StreamLost('its first stream ended too soon')
    bytes = concatBytes(bytes, more)
  }
  const isSound = bytes.length === PREFACE_BYTES && bytes[0] === PREFACE_VERSION
  if (!isSound) throw new StreamLost('its first stream is not that of a path')
  return bytes.slice(1)
}
