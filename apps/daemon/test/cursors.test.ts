/** Streams of a real daemon go on from their cursors after it was killed, over the socket as in process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeExecutor } from '@lattice/api'
import { openKv } from '@lattice/kvstore'
import { logStore, openLog } from '@lattice/logstore'
import { toStoreId, utf8Decode } from '@lattice/model'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createStore } from './daemon-mesh.ts'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'

let root: string
let running: DaemonProcess | undefined

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'latticed-'))
})

afterEach(async () => {
  await running?.end('SIGKILL')
  running = undefined
  await rm(root, { recursive: true, force: true })
})

async function start(): Promise<DaemonProcess> {
  running = await startDaemon(join(root, 'node'))
  return running
}

interface StreamEvent {
  readonly kind: string
  readonly cursor: Uint8Array | undefined
}

/** Events up to the first of the kind, and the cursor of that. */
async function readUntil<Event extends StreamEvent>(
  open: (signal: AbortSignal) => AsyncIterable<Event>,
  kind: string,
): Promise<{ readonly events: readonly Event[]; readonly cursor: Uint8Array }> {
  const abort = new AbortController()
  const events: Event[] = []
  for await (const event of open(abort.signal)) {
    events.push(event)
    if (event.kind === kind) break
  }
  abort.abort()
  const cursor = events.at(-1)?.cursor
  if (cursor === undefined) throw new Error(`${kind} has a cursor`)
  return { events, cursor }
}

test(
  'a watch and a following of a log go on after a kill, with what was written in between',
  { timeout: 60_000 },
  async () => {
    let daemon = await start()
    const kvId = await createStore(daemon)
    const created = await daemon.backend.store.create({ name: 'events', storeType: logStore.storeType })
    const logId = toStoreId(created.id)
    const kv = () => openKv(storeExecutor(daemon.backend, kvId))
    const log = () => openLog(storeExecutor(daemon.backend, logId))
    await kv().put('a', '1')
    await log().append('one')
    const watched = await readUntil((signal) => kv().watch({ snapshot: true, signal }), 'snapshot_end')
    const followed = await readUntil((signal) => log().follow({ tail: 5, signal }), 'caught_up')
    expect(followed.events).toMatchObject([{ kind: 'entry', position: 0 }, { kind: 'caught_up' }])
    await kv().put('a', '2')
    await kv().put('b', '3')
    await log().appendBatch(['two', 'three'])
    await daemon.end('SIGKILL')
    daemon = await start()
    await log().append('four')
    const changed = await readUntil((signal) => kv().watch({ cursor: watched.cursor, signal }), 'caught_up')
    expect(changed.events.map((event) => (event.kind === 'put' ? utf8Decode(event.value) : event.kind))).toEqual([
      '2',
      '3',
      'caught_up',
    ])
    const arrived = await readUntil((signal) => log().follow({ cursor: followed.cursor, signal }), 'caught_up')
    expect(arrived.events.map((event) => (event.kind === 'entry' ? utf8Decode(event.content) : event.kind))).toEqual([
      'two',
      'three',
      'four',
      'caught_up',
    ])
    const told: string[] = []
    for await (const write of kv().history('a'))
      if (write.kind === 'write') told.push(utf8Decode(write.value ?? new Uint8Array()) ?? '')
    expect(told).toEqual(['2', '1'])
  },
)
