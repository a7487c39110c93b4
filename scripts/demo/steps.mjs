/**
 * What the demonstration does, step by step, with the same services and the same command line that every user has.
 */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { storeExecutor } from '@lattice/api'
import { kv } from '@lattice/proto'
import { createClient } from '@lattice/store-base'
import { bytes, count } from './report.mjs'

const CLI = join(import.meta.dirname, '../../apps/cli/bin/lattice.mjs')
const DATA_SET = join(import.meta.dirname, '../../examples/unicode/UnicodeData.txt')
/** A connection on loopback takes milliseconds; far beyond that something is broken. */
const CONNECT_DEADLINE_MS = 20_000
/** Rounds of synchronising before a mesh that does not converge is called broken. */
const MAX_ROUNDS = 20

const hex = (id) => Buffer.from(id).toString('hex')
const utf8 = (text) => new TextEncoder().encode(text)
const text = (value) => new TextDecoder().decode(value)

/** The key-value store of a node, as it is connected now. */
const open = (node, storeId) => createClient({ service: kv.KvStore }, storeExecutor(node.backend, storeId))

export async function createStore(node) {
  const store = await node.backend.store.create({ name: 'unicode', storeType: 'core:kvstore' })
  return {
    text: `${node.name} created the store "unicode"`,
    figures: `id ${hex(store.id).slice(0, 12)}`,
    value: store.id,
  }
}

/** Imports the data set with the command line, as a user would. */
export async function importData(node, storeId) {
  const argv = [
    '--data-dir',
    node.dataDir,
    '--store',
    hex(storeId),
    '--json',
    'store',
    'import',
    DATA_SET,
    '--separator',
    ';',
  ]
  const summary = JSON.parse(await runCli(argv))
  const { size } = await stat(DATA_SET)
  return {
    text: `${node.name} imported UnicodeData.txt`,
    figures: `${count(summary.records)} records, ${bytes(size)}`,
    value: Number(summary.records),
  }
}

function runCli(argv) {
  const child = spawn(process.execPath, [CLI, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = []
  child.stdout.on('data', (data) => output.push(data))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(output).toString())
      else reject(new Error(`lattice ${argv.slice(-4).join(' ')} ended with ${code}`))
    })
  })
}

export async function joinByToken({ host, guest }, storeId, step) {
  const { token } = await host.backend.store.invite({ storeId })
  for await (const { progress } of guest.backend.store.join({ token })) {
    if (progress.case === 'bootstrap') step.progress(Number(progress.value.done), Number(progress.value.total))
  }
  const status = await guest.backend.store.getStatus({ storeId })
  return {
    text: `${guest.name} joined by token and bootstrapped`,
    figures: `${count(status.witnessCount)} intentions, ${count(status.keys)} keys, ${bytes(Number(status.logBytes))}`,
  }
}

/** Both sides write while they cannot see each other: each its own keys, and both the same one. */
export async function editApart(nodes, storeId, { writes, sharedKey }) {
  const edits = nodes.map(async (node) => {
    const store = open(node, storeId)
    const put = (key, value) => store.put({ key: utf8(key), value: utf8(value) })
    for (let n = 0; n < writes; n += 1) await put(`note/${node.name}/${n}`, `${node.name} wrote this alone (${n})`)
    await put(sharedKey, `as ${node.name} sees it`)
  })
  await Promise.all(edits)
  const names = nodes.map((node) => node.name).join(' and ')
  return {
    text: `${names} edited apart, both the key ${sharedKey}`,
    figures: `${count(nodes.length * (writes + 1))} durable writes`,
  }
}

/** Waits until a node is connected to so many peers, by its own events. */
export async function connected(node, peers) {
  const signal = AbortSignal.timeout(CONNECT_DEADLINE_MS)
  const events = node.backend.node.subscribe({}, { signal })[Symbol.asyncIterator]()
  // The subscription stands before the first look, so that no connection falls between.
  let next = events.next()
  try {
    for (;;) {
      const status = await node.backend.node.getStatus({})
      if (status.peers.length >= peers) return
      await next
      next = events.next()
    }
  } catch (error) {
    if (signal.aborted)
      throw new Error(`${node.name} reached fewer than ${peers} peers within ${CONNECT_DEADLINE_MS} ms`)
    throw error
  } finally {
    next.catch(() => undefined)
    await events.return?.()
  }
}

/** Synchronises until all nodes report the same log and the same state. */
export async function converge(nodes, storeId) {
  let sent = 0
  let received = 0
  let lastError = ''
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const states = await Promise.all(nodes.map((node) => node.backend.store.getStatus({ storeId })))
    if (new Set(states.map((state) => `${hex(state.fingerprint)}/${hex(state.stateDigest)}`)).size === 1) {
      return { sent, received, status: states[0] }
    }
    for (const node of nodes.slice(1)) {
      for await (const { progress } of node.backend.store.sync({ storeId })) {
        if (progress.case !== 'outcome') continue
        // A session that was cut, as when two dials crossed, is made good by the next round.
        if (progress.value.error !== '') lastError = `; ${node.name} could not sync: ${progress.value.error}`
        sent += Number(progress.value.sent)
        received += Number(progress.value.received)
      }
    }
  }
  throw new Error(`the nodes did not converge within ${MAX_ROUNDS} rounds${lastError}`)
}

export async function showConflict(nodes, storeId, key) {
  const views = await Promise.all(nodes.map((node) => open(node, storeId).inspect({ key: utf8(key) })))
  const values = views.map((view) => view.heads.map((head) => text(head.value)).join(' | '))
  if (new Set(values).size !== 1 || !views.every((view) => view.conflicted && view.heads.length === 2)) {
    throw new Error(`the conflict on ${key} is not the same everywhere: ${values.join(' / ')}`)
  }
  const [winner, loser] = views[0].heads.map((head) => text(head.value))
  return { text: `conflict on ${key}, the same on every node`, figures: `"${winner}" wins over "${loser}"` }
}

export async function resolveConflict(nodes, storeId, key) {
  const [node] = nodes
  const value = 'as both agreed'
  await open(node, storeId).resolve({ key: utf8(key), value: utf8(value) })
  await converge(nodes, storeId)
  for (const other of nodes) {
    const answer = await open(other, storeId).get({ key: utf8(key) })
    if (answer.conflicted || text(answer.value) !== value)
      throw new Error(`${other.name} does not see the resolution of ${key}`)
  }
  return { text: `${node.name} resolved it`, figures: `"${value}" everywhere` }
}

/** Writes until the node dies; answers which writes were acknowledged. `endAfter` is called once so many were. */
export async function writeUntilKilled(node, storeId, { endAfter, end }) {
  const store = open(node, storeId)
  const acknowledged = []
  /** @type {Promise<void> | undefined} */
  let ended
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let n = 0; ; n += 1) {
      const key = `crash/${writer}/${n}/${randomInt(1e9)}`
      try {
        await store.put({ key: utf8(key), value: utf8(`write ${n} of writer ${writer}`) })
      } catch {
        return
      }
      acknowledged.push(key)
      if (acknowledged.length >= endAfter) ended ??= end()
    }
  })
  await Promise.all(writers)
  await ended
  return acknowledged
}

/** Every acknowledged write must be there. */
export async function checkWrites(node, storeId, keys) {
  const store = open(node, storeId)
  for (const key of keys) {
    const answer = await store.get({ key: utf8(key) })
    if (answer.value === undefined) throw new Error(`${node.name} lost the acknowledged write ${key}`)
  }
}
