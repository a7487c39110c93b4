/**
 * The daemons of the demonstration: real processes with a data directory each, on loopback, over TLS and QUIC.
 *
 * Whoever starts one ends it: `stopAll` leaves no process behind, whatever happened before.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connectBackend } from '@lattice/api'

const DAEMON = join(import.meta.dirname, '../../apps/daemon/bin/latticed.mjs')
/** A daemon that takes longer than this to start is stuck. */
const START_DEADLINE_MS = 20_000
/** A daemon that takes longer than this to close cleanly is ended. */
const STOP_DEADLINE_MS = 10_000

const running = new Set()

/** A node that can be started and ended again and again over the same data. */
export function createNode(name, root) {
  return { name, dataDir: join(root, name), process: undefined, backend: undefined }
}

/** Starts the daemon and connects to it. Resolves when it serves. */
export async function start(node, { offline = false } = {}) {
  const network = offline ? ['--offline'] : ['--no-relay', '--bind', '127.0.0.1:0']
  const child = spawn(process.execPath, [DAEMON, '--data-dir', node.dataDir, '--name', node.name, ...network], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const complaints = []
  child.stderr.on('data', (data) => complaints.push(data))
  await ready(child, node.name, complaints)
  node.process = child
  node.backend = await connectBackend({ socket: join(node.dataDir, 'lattice.sock') })
}

async function ready(child, name, complaints) {
  const deadline = AbortSignal.timeout(START_DEADLINE_MS)
  const said = () => Buffer.concat(complaints).toString().trim()
  const exited = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the daemon of ${name} ended (${signal ?? code}): ${said()}`)
  })
  const stuck = once(deadline, 'abort').then(() => {
    throw new Error(`the daemon of ${name} was not ready within ${START_DEADLINE_MS} ms: ${said()}`)
  })
  const spoke = (async () => {
    for await (const line of createInterface({ input: child.stdout })) if (line.startsWith('latticed ready')) return
    return exited
  })()
  exited.catch(() => undefined)
  stuck.catch(() => undefined)
  await Promise.race([spoke, exited, stuck])
  child.stdout.resume()
}

/** Closes the daemon cleanly. */
export async function stop(node) {
  await end(node, 'SIGTERM')
}

/** Ends the daemon without a word, as a power cut would. */
export async function kill(node) {
  await end(node, 'SIGKILL')
}

async function end(node, signal) {
  const child = node.process
  if (child === undefined) return
  node.process = undefined
  const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve()
  child.kill(signal)
  const impatient = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS)
  await gone
  clearTimeout(impatient)
  await node.backend?.close()
}

/** Ends whatever still runs. */
export async function stopAll(nodes) {
  await Promise.all(nodes.map((node) => end(node, 'SIGTERM')))
  for (const child of running) child.kill('SIGKILL')
}
