/** Real daemons that are killed again and again while clients write and a peer syncs. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, type StoreId, utf8Decode, utf8Encode } from '@lattice/model'
import { createSeededRandom, type SeededRandom } from '@lattice/model/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connected, createStore, digest, joinByToken, keyValue, syncAll } from './daemon-mesh.ts'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'

/** Kills in all; `LATTICE_KILLS` asks for more, `LATTICE_KILL_SEED` for other moments. */
const KILLS = Number(process.env['LATTICE_KILLS'] ?? 5)
const SEED = process.env['LATTICE_KILL_SEED'] ?? 'kills'
const TIMEOUT_MS: number = 60_000 + KILLS * 15_000
const WRITERS = 3
const BULK = 48
/** A round ends by its kill; at the latest when so much was written. */
const ACKNOWLEDGED_MAX = 400

/** A peer that was killed is noticed after some 30 s at the latest. */
const CONVERGED_MAX_MS = 60_000

let root: string
const running = new Set<DaemonProcess>()

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'latticed-'))
})

afterEach(async () => {
  await Promise.all([...running].map((daemon) => daemon.end('SIGKILL')))
  running.clear()
  await rm(root, { recursive: true, force: true })
})

async function start(name: string): Promise<DaemonProcess> {
  const daemon = await startDaemon(join(root, name), ['--name', name])
  running.add(daemon)
  return daemon
}

interface Round {
  readonly daemon: DaemonProcess
  readonly storeId: StoreId
  readonly prefix: string
  /** Keys whose write was acknowledged. */
  readonly acknowledged: string[]
  readonly onAcknowledged: () => void
  /** Somebody was killed: the round is over. */
  readonly isOver: () => boolean
}

/** Writes one by one and many at once until the daemon is gone. */
async function writeUntilGone({ daemon, storeId, prefix, acknowledged, onAcknowledged, isOver }: Round): Promise<void> {
  const store = keyValue(daemon, storeId)
  let gone = false
  const goesOn = (): boolean => !gone && !isOver() && acknowledged.length < ACKNOWLEDGED_MAX
  const put = async (key: string, value: string): Promise<void> => {
    try {
      await store.put({ key: utf8Encode(key), value: utf8Encode(value) })
    } catch {
      gone = true
      return
    }
    acknowledged.push(key)
    onAcknowledged()
  }
  const single = async (writer: number): Promise<void> => {
    for (let n = 0; goesOn(); n += 1) await put(`${prefix}/${writer}/${n}`, 'x')
  }
  const bulk = async (): Promise<void> => {
    for (let n = 0; goesOn(); n += BULK) {
      await Promise.all(Array.from({ length: BULK }, async (_, i) => put(`${prefix}/bulk/${n + i}`, 'y'.repeat(200))))
    }
  }
  await Promise.all([...Array.from({ length: WRITERS }, async (_, writer) => single(writer)), bulk()])
}

async function keysUnder(daemon: DaemonProcess, storeId: StoreId, prefix: string): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  let pageToken: Uint8Array = new Uint8Array(0)
  do {
    const page = await keyValue(daemon, storeId).list({ prefix: utf8Encode(prefix), limit: 10_000, pageToken })
    for (const { key } of page.items) keys.add(utf8Decode(key) ?? '')
    pageToken = page.nextPageToken
  } while (pageToken.length > 0)
  return keys
}

/** Turns of the event loop, so that the kill comes at no particular point of what the daemon does. */
async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Writes to both, kills one of them at a moment of chance, or both; answers what was acknowledged by each. */
async function killRound(
  daemons: Map<string, DaemonProcess>,
  { storeId, round, random }: { readonly storeId: StoreId; readonly round: number; readonly random: SeededRandom },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const victims = [['a'], ['a'], ['b'], ['a', 'b']][random.below(4)] ?? ['a']
  const killAt = 1 + random.below(200)
  const pause = random.below(200)
  const ends: Promise<unknown>[] = []
  const written = new Map<string, string[]>([...daemons.keys()].map((name) => [name, []]))
  let [total, isOver] = [0, false]
  const onAcknowledged = (): void => {
    total += 1
    if (total !== killAt) return
    ends.push(
      turns(pause).then(async () => {
        await Promise.all(victims.map(async (name) => daemonOf(daemons, name).end('SIGKILL')))
        isOver = true
      }),
    )
  }
  await Promise.all(
    [...daemons].map(async ([name, daemon]) => {
      const acknowledged = written.get(name) ?? []
      const prefix = `${round}/${name}`
      await writeUntilGone({ daemon, storeId, prefix, acknowledged, onAcknowledged, isOver: () => isOver })
    }),
  )
  await Promise.all(ends)
  for (const name of victims) {
    running.delete(daemonOf(daemons, name))
    daemons.set(name, await start(name))
  }
  return written
}

function daemonOf(daemons: ReadonlyMap<string, DaemonProcess>, name: string): DaemonProcess {
  const daemon = daemons.get(name)
  assert(daemon !== undefined, 'the daemon is running')
  return daemon
}

/** What was killed may still look connected for a while: then a sync fails, and the next event tells that it is gone. */
async function syncOnceFound(daemon: DaemonProcess, storeId: StoreId): Promise<void> {
  const abort = new AbortController()
  const events = daemon.backend.node.subscribe({}, { signal: abort.signal })[Symbol.asyncIterator]()
  let next = events.next()
  while (!(await syncAll(daemon, storeId))) {
    await next
    next = events.next()
  }
  next.catch(() => undefined)
  abort.abort()
}

async function expectConverged([a, b]: readonly [DaemonProcess, DaemonProcess], storeId: StoreId): Promise<void> {
  const startedAt = performance.now()
  await Promise.all([connected(a), connected(b)])
  const compare = async (): Promise<readonly [string, string]> => {
    await syncOnceFound(b, storeId)
    return [await digest(b, storeId), await digest(a, storeId)]
  }
  let [ofB, ofA] = await compare()
  // Either may acknowledge what has just come before the other is asked.
  while (ofB !== ofA && performance.now() - startedAt < CONVERGED_MAX_MS) [ofB, ofA] = await compare()
  expect(performance.now() - startedAt).toBeLessThan(CONVERGED_MAX_MS)
  expect(ofB).toBe(ofA)
  for (const daemon of [a, b]) {
    expect(await daemon.backend.store.getStatus({ storeId })).toMatchObject({ forkedAuthors: 0 })
  }
}

test(
  `${KILLS} kills under load: nothing acknowledged is lost, no chain forks, peers converge`,
  { timeout: TIMEOUT_MS },
  async () => {
    const random = createSeededRandom(SEED)
    const daemons = new Map([
      ['a', await start('a')],
      ['b', await start('b')],
    ])
    const storeId = await createStore(daemonOf(daemons, 'a'))
    await joinByToken(daemonOf(daemons, 'a'), daemonOf(daemons, 'b'), storeId)
    const all: string[] = []
    for (let round = 0; round < KILLS; round += 1) {
      const written = await killRound(daemons, { storeId, round, random })
      for (const [name, keys] of written) {
        const present = await keysUnder(daemonOf(daemons, name), storeId, `${round}/${name}`)
        expect(keys.filter((key) => !present.has(key))).toEqual([])
        all.push(...keys)
      }
      if (process.env['LATTICE_KILLS'] !== undefined)
        process.stderr.write(`round ${round}: ${all.length} acknowledged\n`)
      // Mostly the next kill comes while they catch up; sometimes they are let.
      if (round % 3 === 2) await expectConverged([daemonOf(daemons, 'a'), daemonOf(daemons, 'b')], storeId)
    }
    await expectConverged([daemonOf(daemons, 'a'), daemonOf(daemons, 'b')], storeId)
    const present = await keysUnder(daemonOf(daemons, 'b'), storeId, '')
    expect(all.filter((key) => !present.has(key))).toEqual([])
    expect(all.length).toBeGreaterThan(KILLS)
  },
)
