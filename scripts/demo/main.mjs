/**
 * The demonstration: a mesh of three real daemons on this machine, with a real data set, through disconnection,
 * conflict and a power cut. Ends with the line `converged: …`; on a terminal it then opens the REPL on A.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNode, kill, start, stop, stopAll } from './nodes.mjs'
import { clearProgress, count, step } from './report.mjs'
import * as steps from './steps.mjs'

const CLI = join(import.meta.dirname, '../../apps/cli/bin/lattice.mjs')
const WRITES_APART = 100
const WRITES_BEFORE_KILL = 400
/** 😀, whose entry both sides edit. */
const SHARED_KEY = '1F600'

async function main() {
  const root = await mkdtemp(join(tmpdir(), 'lattice-'))
  const nodes = ['A', 'B', 'C'].map((name) => createNode(name, root))
  const interrupted = new AbortController()
  const onSignal = () => interrupted.abort(new Error('interrupted'))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, onSignal)
  try {
    const story = tell(nodes)
    await Promise.race([story, once(interrupted.signal, 'abort').then(() => Promise.reject(interrupted.signal.reason))])
    if (process.stdin.isTTY === true && process.stdout.isTTY === true) await openRepl(nodes[0], await story)
    return 0
  } catch (error) {
    clearProgress()
    process.stderr.write(`the demonstration failed: ${error.message}\n`)
    return 1
  } finally {
    await stopAll(nodes)
    await rm(root, { recursive: true, force: true })
  }
}

async function tell(nodes) {
  const [a, b, c] = nodes
  await step('starting', async () => {
    await Promise.all(nodes.map((node) => start(node)))
    return { text: 'three daemons run: A, B and C, over TLS and QUIC on loopback', figures: '3 processes' }
  })
  const storeId = await step('creating', () => steps.createStore(a))
  await step('importing', () => steps.importData(a, storeId))
  await step('B joins', (s) => steps.joinByToken({ host: a, guest: b }, storeId, s))
  await step('C joins', (s) => steps.joinByToken({ host: a, guest: c }, storeId, s))
  await stop(b)
  await start(b, { offline: true })
  await step('editing', () => steps.editApart([a, b], storeId, { writes: WRITES_APART, sharedKey: SHARED_KEY }))
  await step('B returns', async () => {
    await stop(b)
    await start(b)
    await steps.connected(b, 1)
    const { status } = await steps.converge(nodes, storeId)
    return { text: 'B returned from offline, all three converged', figures: `${count(status.witnessCount)} intentions` }
  })
  await step('conflict', () => steps.showConflict(nodes, storeId, SHARED_KEY))
  await step('resolving', () => steps.resolveConflict(nodes, storeId, SHARED_KEY))
  const written = await step('killing', async () => {
    const keys = await steps.writeUntilKilled(c, storeId, { endAfter: WRITES_BEFORE_KILL, end: () => kill(c) })
    return {
      text: 'C was killed (SIGKILL) in the middle of writes',
      figures: `${count(keys.length)} acknowledged`,
      value: keys,
    }
  })
  await step('C returns', async () => {
    await start(c)
    await steps.checkWrites(c, storeId, written)
    return {
      text: 'C came back with every acknowledged write',
      figures: `${count(written.length)} of ${count(written.length)}`,
    }
  })
  await steps.connected(c, 1)
  const { status } = await steps.converge(nodes, storeId)
  process.stdout.write(
    `converged: ${nodes.length} nodes, ${Number(status.keys)} keys, digest ${Buffer.from(status.stateDigest).toString('hex')}\n`,
  )
  return storeId
}

async function openRepl(node, storeId) {
  process.stdout.write(
    '\nYou are on node A. Try: list, get 1F600, put hello world, store status, help. quit ends the mesh.\n',
  )
  const argv = ['--data-dir', node.dataDir, '--store', Buffer.from(storeId).toString('hex')]
  const child = spawn(process.execPath, [CLI, ...argv], { stdio: 'inherit' })
  await once(child, 'exit')
}

process.exitCode = await main()
