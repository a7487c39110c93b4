/**
 * Side by side with hypercore, what a user of Node would otherwise take for a signed, replicated log: the same entries,
 * the same tasks, each with the durability it has.
 *
 * Hypercore appends blocks to one author's log. A store here does that and more: each entry is an intention of many
 * authors' DAG, resolved against the others and projected into a table that is read by key. What one guarantees and the
 * other does not stands in the notes.
 *
 * @module
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { assert, type IntentionId, MAX_RUN_LENGTH, type SignedIntention } from '@lattice/model'
import type { Kernel } from '@lattice/kernel'
import Hypercore from 'hypercore'
import { KEY_BYTES, keyOf, VALUE_BYTES, valueOf } from '../entries.ts'
import type { Figure } from '../figure.ts'
import { createHistory } from '../history.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { measureAgainst, rateOf, type Sample, sampleOf } from '../sample.ts'
import { type BenchStore, createStore, openStore } from '../store.ts'
import { createDice } from '../world.ts'

const BATCH = 256
const PAGE_INTENTIONS: number = 4 * MAX_RUN_LENGTH
const NOT_SYNCED = 'hypercore leaves its writes to the system and does not fsync them'

/** An entry as one block: what hypercore is given of the same data. */
function blockOf(entry: number): Uint8Array {
  const block = new Uint8Array(KEY_BYTES + VALUE_BYTES)
  block.set(keyOf(entry))
  block.set(valueOf(entry), KEY_BYTES)
  return block
}

async function openCore(directory: string, key?: Uint8Array): Promise<Hypercore> {
  const core = new Hypercore(directory, key)
  await core.ready()
  return core
}

async function fillCore(core: Hypercore, from: number, count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    await core.append(Array.from({ length: Math.min(BATCH, count - done) }, (_, index) => blockOf(from + done + index)))
  }
}

async function fillStore({ kv }: BenchStore, from: number, count: number): Promise<void> {
  await kv.import(entries(from, count), { keysPerWrite: 1 })
}

function* entries(from: number, count: number): Generator<{ key: Uint8Array; value: Uint8Array }> {
  for (let entry = from; entry < from + count; entry += 1) yield { key: keyOf(entry), value: valueOf(entry) }
}

/** Both in batches, each time into one that goes on. */
async function measureAppend(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(100_000, 10_000)
  const core = await openCore(context.folder())
  await using store = await createStore(context.folder())
  let [theirs, ours] = [0, 0]
  const repeats = { warmUps: 1, repeats: Math.min(3, context.repeats) }
  const measured = await measureAgainst(
    {
      name: 'hypercore',
      work: () => rateOf(count, () => fillCore(core, (theirs += count) - count, count)),
    },
    () => rateOf(count, () => fillStore(store, (ours += count) - count, count)),
    repeats,
  )
  await core.close()
  const note = `ours is fsynced per commit and projected; ${NOT_SYNCED}`
  return [{ name: `append ${count} in batches of ${BATCH}`, unit: '/s', ...measured, goals: [], note }]
}

async function measureSingle(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(2_000, 500)
  const core = await openCore(context.folder())
  await using full = await createStore(context.folder())
  await using normal = await createStore(context.folder(), 'normal')
  let entry = 0
  const hypercore = {
    name: 'hypercore',
    work: () =>
      rateOf(count, async () => {
        for (let turn = 0; turn < count; turn += 1) await core.append(blockOf((entry += 1)))
      }),
  }
  const putAll = ({ kv }: BenchStore): Promise<number> =>
    rateOf(count, async () => {
      for (let turn = 0; turn < count; turn += 1) {
        entry += 1
        await kv.put(keyOf(entry), valueOf(entry))
      }
    })
  const figures: readonly Figure[] = [
    {
      name: 'append one at a time, as sure as each is',
      unit: '/s',
      ...(await measureAgainst(hypercore, () => putAll(full), context)),
      goals: [],
      note: `each of ours is fsynced before it resolves; ${NOT_SYNCED}`,
    },
    {
      name: 'append one at a time, neither fsynced',
      unit: '/s',
      ...(await measureAgainst(hypercore, () => putAll(normal), context)),
      goals: [],
      note: "ours with durability 'normal': a power cut may take the last writes of either",
    },
  ]
  await core.close()
  return figures
}

/** Everything of one into a new one, over a stream in this process. */
async function measureReplica(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(100_000, 10_000)
  const core = await openCore(context.folder())
  await fillCore(core, 0, count)
  const directory = context.folder()
  await using store = await createStore(directory)
  await fillStore(store, 0, count)
  const measured = await measureAgainst(
    { name: 'hypercore', work: () => rateOf(count, () => cloneCore(core, context.folder())) },
    () => rateOf(count, () => cloneStore(store.kernel, context.folder())),
    { warmUps: 0, repeats: Math.min(3, context.repeats) },
  )
  await core.close()
  const note =
    'both sides in one process; ours verifies a signature per run and every hash, fsyncs and projects; hypercore verifies a signature and a Merkle proof per request'
  return [{ name: `fresh replica of ${count}`, unit: '/s', ...measured, goals: [], note }]
}

async function cloneCore(core: Hypercore, directory: string): Promise<void> {
  const clone = await openCore(directory, core.key)
  const [sender, receiver] = [core.replicate(true, { keepAlive: false }), clone.replicate(false, { keepAlive: false })]
  sender.pipe(receiver).pipe(sender)
  await clone.download({ start: 0, end: core.length }).done()
  assert(clone.contiguousLength === core.length, 'the clone has every block')
  sender.destroy()
  receiver.destroy()
  await clone.close()
}

/** Pages of the log as bytes through a stream, into a store that takes them in as from a peer. */
async function cloneStore(source: Kernel, directory: string): Promise<void> {
  const { storeId } = source
  await using clone = await openStore({ directory, storeId })
  const stream = new PassThrough({ readableObjectMode: true, writableObjectMode: true, highWaterMark: 4 })
  const sending = sendLog(source, stream)
  for await (const page of stream) {
    assert(page instanceof Uint8Array, 'a page is bytes')
    const outcomes = await clone.kernel.ingest(decodePage(page), undefined)
    assert(
      // A page ends on a closed run, so what closes it may come again with the next.
      outcomes.every(({ kind }) => kind === 'witnessed' || kind === 'duplicate'),
      'everything is witnessed',
    )
  }
  await sending
  assert(clone.kernel.stats().witnessCount === source.stats().witnessCount, 'the clone has everything')
}

async function sendLog(source: Kernel, stream: PassThrough): Promise<void> {
  const { witnessCount } = source.stats()
  for (let seq = 1; seq <= witnessCount;) {
    const ids: IntentionId[] = source.scanWitness(seq, PAGE_INTENTIONS).map(({ parsed }) => parsed.id)
    seq += ids.length
    for (let rest: readonly IntentionId[] = ids; rest.length > 0;) {
      const read = source.read(rest, 2 ** 20)
      rest = read.rest
      if (!stream.write(encodePage(read.intentions))) await new Promise((resolve) => stream.once('drain', resolve))
    }
  }
  stream.end()
}

/** Lengths and bytes, one intention after the other. */
function encodePage(intentions: readonly SignedIntention[]): Buffer {
  return Buffer.concat(
    intentions.flatMap(({ bytes, signature }) => {
      const lengths = Buffer.alloc(8)
      lengths.writeUInt32LE(bytes.length, 0)
      lengths.writeUInt32LE(signature.length, 4)
      return [lengths, bytes, signature]
    }),
  )
}

function decodePage(page: Uint8Array): SignedIntention[] {
  const view = new DataView(page.buffer, page.byteOffset, page.length)
  const intentions: SignedIntention[] = []
  for (let offset = 0; offset < page.length;) {
    const [length, signed] = [view.getUint32(offset, true), view.getUint32(offset + 4, true)]
    const start = offset + 8
    offset = start + length + signed
    intentions.push({ bytes: page.subarray(start, start + length), signature: page.subarray(start + length, offset) })
  }
  return intentions
}

/** Reading, opening again and size, of a log of the same entries. */
async function measureAtRest(context: RowContext): Promise<readonly Figure[]> {
  const count = context.size(100_000, 10_000)
  const gets = context.size(20_000, 2_000)
  const [coreFolder, storeFolder] = [context.folder(), context.folder()]
  const { genesis, storeId } = createHistory({ runLength: 1 })
  let get: Pick<Figure, 'ours' | 'floor' | 'ratio'>
  {
    const core = await openCore(coreFolder)
    await fillCore(core, 0, count)
    await using store = await openStore({ directory: storeFolder, storeId, genesis })
    await fillStore(store, 0, count)
    get = await measureGets(core, store, { context, count, gets })
    await core.close()
  }
  const reopen = await measureReopen(context, { coreFolder, storeFolder, storeId })
  const disk = (folder: string): Sample => sampleOf([bytesBelow(folder) / count])
  return [
    {
      name: `random get of ${count}`,
      unit: '/s',
      ...get,
      goals: [],
      note: 'ours by key from the projected table, hypercore by index',
    },
    { name: `open ${count} again, first read included`, unit: 'ms', ...reopen, goals: [] },
    {
      name: 'disk per entry, closed',
      unit: 'B',
      ours: disk(storeFolder),
      floor: { name: 'hypercore', sample: disk(coreFolder) },
      ratio: bytesBelow(storeFolder) / bytesBelow(coreFolder),
      goals: [],
      note: `payload ${KEY_BYTES + VALUE_BYTES} B; ours holds the log and the projected table, hypercore the log, its Merkle tree and what RocksDB keeps of its own log`,
    },
  ]
}

async function measureGets(
  core: Hypercore,
  { kv }: BenchStore,
  { context, count, gets }: { readonly context: RowContext; readonly count: number; readonly gets: number },
): Promise<Pick<Figure, 'ours' | 'floor' | 'ratio'>> {
  const dice = createDice(7)
  const theirs = (): Promise<number> =>
    rateOf(gets, async () => {
      for (let turn = 0; turn < gets; turn += 1) assert((await core.get(dice(count))) !== null, 'every block is there')
    })
  const ours = (): Promise<number> =>
    rateOf(gets, async () => {
      for (let turn = 0; turn < gets; turn += 1) {
        assert((await kv.get(keyOf(dice(count)))).value !== undefined, 'every entry is there')
      }
    })
  return measureAgainst({ name: 'hypercore', work: theirs }, ours, context)
}

async function measureReopen(
  context: RowContext,
  folders: {
    readonly coreFolder: string
    readonly storeFolder: string
    readonly storeId: ReturnType<typeof createHistory>['storeId']
  },
): Promise<Pick<Figure, 'ours' | 'floor' | 'ratio'>> {
  const theirs = async (): Promise<number> => {
    const startedMs = performance.now()
    const core = await openCore(folders.coreFolder)
    await core.get(0)
    const ms = performance.now() - startedMs
    await core.close()
    return ms
  }
  const ours = async (): Promise<number> => {
    const startedMs = performance.now()
    await using store = await openStore({ directory: folders.storeFolder, storeId: folders.storeId })
    await store.kv.get(keyOf(0))
    return performance.now() - startedMs
  }
  return measureAgainst({ name: 'hypercore', work: theirs }, ours, context)
}

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

function hypercoreVersion(): string {
  const path = createRequire(import.meta.url).resolve('hypercore/package.json')
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '?'
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const part of [measureAppend, measureSingle, measureReplica, measureAtRest]) {
    context.progress(`beside hypercore ${hypercoreVersion()}: ${part.name.replace('measure', '').toLowerCase()}`)
    figures.push(...(await part(context)))
  }
  return figures
}

/** Its floor is no floor: what a user would otherwise pick. */
export const RIVALS_ROW: BenchRow = {
  id: 'rivals',
  task: 'The same tasks by hypercore',
  floor: 'hypercore',
  goal: 'none: side by side',
  run,
}
