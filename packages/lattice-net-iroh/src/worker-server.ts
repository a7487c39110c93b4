/**
 * Carries out in the worker what the other side of the port asks for.
 *
 * What it holds is bounded by what the other side may have: the live connections, their streams, and one read and one write
 * on each.
 *
 * @module
 */
import { type AbortController, createAbortController, toPublicKey, unreachable } from '@lattice/model'
import { type Connection, StreamLost, type Transport } from '@lattice/net-types'
import { createNameTable, type NameTable } from './name-table.ts'
import { describeFailure } from './native.ts'
import type { Answer, Command, ConnectionName, FromWorker, Operation, ToWorker } from './worker-protocol.ts'
import type { WorkerTimers } from './worker-timers.ts'

export interface WorkerServerDeps {
  readonly transport: Transport
  readonly timers: Pick<WorkerTimers, 'due'>
  readonly post: (message: FromWorker, transfer?: ArrayBuffer[]) => void
  /** Called when the transport is closed and the last answer is posted. */
  readonly onShutdown: () => void
}

interface Desk extends WorkerServerDeps {
  readonly names: NameTable
  readonly incoming: AsyncIterator<Connection>
  readonly dials: Map<number, AbortController>
}

type StreamOperation = Extract<Operation, { readonly stream: number }>
type ConnectionOperation = Extract<Operation, { readonly connection: number }>

/** The handler of the port's messages. */
export function createWorkerServer(deps: WorkerServerDeps): (message: ToWorker) => void {
  const incoming = deps.transport.incoming[Symbol.asyncIterator]()
  const desk: Desk = { ...deps, incoming, names: createNameTable(), dials: new Map() }
  return (message) => {
    if (!('call' in message)) return obey(desk, message)
    // It answers every failure of the operation; what is left is a port that is gone.
    answer(desk, message.call, message.operation).catch(() => undefined)
  }
}

async function answer(desk: Desk, call: number, operation: Operation): Promise<void> {
  try {
    const value = await carryOut(desk, operation)
    const isBytes = value instanceof Uint8Array && value.buffer instanceof ArrayBuffer
    desk.post({ kind: 'answer', call, value }, isBytes ? [value.buffer] : [])
  } catch (error) {
    desk.post({ kind: 'refusal', call, why: failureText(error) })
  }
  if (operation.op === 'shutdown') desk.onShutdown()
}

async function carryOut(desk: Desk, operation: Operation): Promise<Answer> {
  switch (operation.op) {
    case 'connect':
      return connect(desk, operation)
    case 'accept': {
      const next = await desk.incoming.next()
      return next.done === true ? undefined : nameConnection(desk, next.value)
    }
    case 'shutdown':
      await desk.transport.close()
      return undefined
    case 'open':
    case 'acceptStream':
    case 'closeConnection':
      return onConnection(desk, operation)
    case 'read':
    case 'write':
    case 'finish':
      return onStream(desk, operation)
    default:
      return unreachable(operation)
  }
}

async function connect(desk: Desk, dialling: Extract<Operation, { op: 'connect' }>): Promise<ConnectionName> {
  const { dial, peer, addresses } = dialling
  const controller = createAbortController()
  desk.dials.set(dial, controller)
  try {
    return nameConnection(
      desk,
      await desk.transport.connect(toPublicKey(peer), { addresses, signal: controller.signal }),
    )
  } finally {
    desk.dials.delete(dial)
  }
}

function nameConnection(desk: Desk, connection: Connection): ConnectionName {
  const name = desk.names.addConnection(connection)
  const announceEnd = async (): Promise<void> => {
    const reason = await connection.closed
    desk.names.dropConnection(name)
    desk.post({ kind: 'closed', connection: name, reason })
  }
  announceEnd().catch((error: unknown) => desk.post({ kind: 'error', why: describeFailure(error) }))
  return { connection: name, peer: connection.peer }
}

async function onConnection({ names }: Desk, operation: ConnectionOperation): Promise<number | undefined> {
  const found = names.findConnection(operation.connection)
  switch (operation.op) {
    case 'open':
      if (found === undefined) throw new StreamLost('the connection has ended')
      return names.addStream(operation.connection, await found.connection.open())
    case 'acceptStream': {
      const next = await found?.inbound.next()
      return next === undefined || next.done === true ? undefined : names.addStream(operation.connection, next.value)
    }
    case 'closeConnection':
      await found?.connection.close(operation.message)
      return undefined
    default:
      return unreachable(operation)
  }
}

async function onStream({ names }: Desk, operation: StreamOperation): Promise<Uint8Array | undefined> {
  const stream = names.findStream(operation.stream)
  if (stream === undefined) throw new StreamLost('the connection has ended')
  switch (operation.op) {
    case 'read':
      return stream.read()
    case 'write':
      await stream.write(operation.bytes)
      return undefined
    case 'finish':
      await stream.finish()
      return undefined
    default:
      return unreachable(operation)
  }
}

function obey({ names, dials, transport, timers, post }: Desk, command: Command): void {
  switch (command.op) {
    case 'abortDial':
      return dials.get(command.dial)?.abort()
    case 'refreshAddresses':
      return post({ kind: 'addresses', addresses: transport.addresses() })
    case 'due':
      return timers.due(command.timer)
    case 'reset':
      names.findStream(command.stream)?.reset()
      return names.dropStream(command.stream)
    default:
      return unreachable(command)
  }
}

/** The cause says more than the sentence that the other side builds anew. */
function failureText(error: unknown): string {
  if (error instanceof StreamLost) return error.message.replace(/^the connection ended: /, '')
  return describeFailure(error instanceof Error && error.cause !== undefined ? error.cause : error)
}
