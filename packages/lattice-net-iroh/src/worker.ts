/**
 * Entry of the worker thread: the native endpoint lives and ends with it.
 *
 * The binding converts bytes slowly and on the thread that calls it, and lets go of its sockets only when its handles are
 * collected. Here neither matters: the thread has nothing else to do, and its end frees every handle.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, toSeed } from '@lattice/model'
import { BindFailed, type Transport } from '@lattice/net-types'
import { openLocalTransport } from './local-transport.ts'
import { describeFailure } from './native.ts'
import type { FromWorker, StartFailure, WorkerSettings } from './worker-protocol.ts'
import { createWorkerServer } from './worker-server.ts'
import { createWorkerTimers } from './worker-timers.ts'

assert(parentPort !== null, 'the entry runs in a worker')
const port = parentPort
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The starter is this package.
const settings = workerData as WorkerSettings

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

function startFailure(error: unknown): StartFailure {
  if (!(error instanceof BindFailed)) return { kind: 'unavailable', why: describeFailure(error) }
  return { kind: 'bind', address: error.detail.address, why: error.detail.why }
}

async function start(): Promise<void> {
  const timers = createWorkerTimers(post)
  let transport: Transport
  try {
    transport = await openLocalTransport({
      secretSeed: toSeed(settings.secretSeed),
      bindAddress: settings.bindAddress,
      relay: settings.relay,
      scheduler: timers,
      onError: (error) => post({ kind: 'error', why: describeFailure(error) }),
    })
  } catch (error) {
    return post({ kind: 'failed', failure: startFailure(error) })
  }
  port.on('message', createWorkerServer({ transport, timers, post, onShutdown: () => port.close() }))
  post({ kind: 'ready', id: transport.id, addresses: transport.addresses() })
}

await start()
