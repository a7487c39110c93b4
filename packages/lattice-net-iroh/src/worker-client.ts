/**
 * The near side of the port: starts the worker, pairs answers with calls, and notices with whom they concern.
 *
 * When the worker ends, for whatever reason, every call that waits is refused and every connection is lost.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import { LatticeError, unreachable } from '@lattice/model'
import { BindFailed, type CloseReason } from '@lattice/net-types'
import { type CallTable, createCallTable } from './call-table.ts'
import { createEndingTable, type EndingTable } from './ending-table.ts'
import { IrohUnavailable } from './native.ts'
import type { Answers, Command, FromWorker, Operation, StartFailure, WorkerSettings } from './worker-protocol.ts'
import { type ServedTimers, serveTimers, type WorkerScheduler } from './worker-timers.ts'

export interface WorkerClient {
  readonly id: Uint8Array
  /** Rejects with `StreamLost` when the worker refuses or has ended. */
  readonly call: <O extends Operation>(operation: O, transfer?: ArrayBuffer[]) => Promise<Answers[O['op']]>
  readonly tell: (command: Command) => void
  /** Resolves when the connection named so has ended. To be asked once, as the name arrives. */
  readonly ended: (connection: number) => Promise<CloseReason>
  readonly addresses: () => readonly string[]
  /** Resolves when the thread has ended. */
  readonly exited: Promise<void>
  /** Lets the process end before the thread does. */
  readonly release: () => void
}

export interface WorkerClientDeps {
  /** What the worker does in time goes by it. */
  readonly scheduler: WorkerScheduler
  readonly onError: (error: unknown) => void
}

/** The worker ended by itself: a bug here or in the native code. */
export class WorkerFailed extends LatticeError {
  override readonly name = 'WorkerFailed'
  readonly code = 'INTERNAL'

  constructor(cause?: unknown) {
    super('the network thread ended unexpectedly: open the transport again', { cause })
  }
}

/** Starts the worker. Rejects with `BindFailed`, `IrohUnavailable` or {@link WorkerFailed}; then no thread is left. */
export async function startWorker(
  settings: WorkerSettings,
  { scheduler, onError }: WorkerClientDeps,
): Promise<WorkerClient> {
  const worker = createWorker(settings)
  const calls = createCallTable()
  const endings = createEndingTable()
  let addresses: readonly string[] = []
  let state: 'starting' | 'running' | 'stopping' | 'over' = 'starting'
  let crash: unknown
  const tell = (command: Command): void => {
    if (state !== 'over') worker.postMessage(command)
  }
  const timers = serveTimers(scheduler, tell)

  const onExit = (): void => {
    if (state === 'running') onError(new WorkerFailed(crash))
    state = 'over'
    timers.close()
    calls.close('the transport was closed')
    endings.close({ by: 'lost', message: 'the network thread ended' })
  }
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onExit()
      resolve()
    })
  })
  worker.on('error', (error: unknown) => {
    crash = error
  })
  const started = new Promise<Uint8Array>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'failed') return reject(toError(message.failure))
      if (message.kind !== 'ready' && message.kind !== 'addresses') {
        return receive(message, { calls, endings, timers, onError })
      }
      addresses = message.addresses
      if (message.kind === 'addresses') return
      state = 'running'
      resolve(message.id)
    })
    worker.once('exit', () => reject(new WorkerFailed(crash)))
  })

  return {
    id: await startedOrGone(started, exited),
    exited,
    release: () => worker.unref(),
    addresses: () => addresses,
    call: (operation, transfer = []) => {
      if (operation.op === 'shutdown' && state === 'running') state = 'stopping'
      return calls.start(operation, (call) => worker.postMessage({ call, operation }, transfer))
    },
    tell,
    ended: endings.of,
  }
}

interface Receivers {
  readonly calls: CallTable
  readonly endings: EndingTable
  readonly timers: ServedTimers
  readonly onError: (error: unknown) => void
}

function receive(message: Exclude<FromWorker, { kind: 'ready' | 'addresses' | 'failed' }>, to: Receivers): void {
  switch (message.kind) {
    case 'answer':
      return to.calls.answer(message.call, message.value)
    case 'refusal':
      return to.calls.refuse(message.call, message.why)
    case 'closed':
      return to.endings.announce(message.connection, message.reason)
    case 'after':
    case 'cancel':
      return to.timers.receive(message)
    case 'error':
      return to.onError(new Error(message.why))
    default:
      return unreachable(message)
  }
}

/** The entry lies beside this file in both forms: as source in the workspace, as a built entry in the package. */
function createWorker(workerData: WorkerSettings): Worker {
  const isSource = import.meta.url.endsWith('.ts')
  const entry = isSource ? new URL('./worker.ts', import.meta.url) : new URL('./worker.js', import.meta.url)
  return new Worker(entry, { workerData, name: 'lattice-net-iroh' })
}

async function startedOrGone(started: Promise<Uint8Array>, exited: Promise<void>): Promise<Uint8Array> {
  try {
    return await started
  } catch (error) {
    // A worker that could not start ends by itself: it has nothing left to do.
    await exited
    throw error
  }
}

function toError(failure: StartFailure): Error {
  if (failure.kind === 'bind') return new BindFailed(failure.address, failure.why)
  return new IrohUnavailable(new Error(failure.why))
}
