/**
 * Stores on disk for the tests of integrity, and ways to damage them.
 *
 * @module
 */
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { assert, type IntentionId } from '@lattice/model'
import { type Database, inlineFileCheck, openDatabase, toPlainBytes } from '@lattice/storage'
import { type KernelOptions, verifyLog, type VerifyOptions, type VerifyReport } from '../src/index.ts'
import { LOG_APPLICATION_ID, LOG_MIGRATIONS } from '../src/log-schema.ts'
import { RECORD_HEAD_BYTES } from '../src/log-record.ts'
import { at, createTestStore, crypto, signerOf, temporaryDirectory, turnScheduler, write } from './harness.ts'
import { appOp, createTrackingProjector } from './tracking-projector.ts'

/** Records of a filled store: the genesis, own writes, two foreign chains of which one forks, and a run of four. */
export const RECORDS: number = 32

type FieldName =
  | 'flags'
  | 'author'
  | 'lane'
  | 'position'
  | 'generation'
  | 'witnessed'
  | 'chainHash'
  | 'witnessSignature'
  | 'signature'
  | 'intention'

/** Offsets in a record that is signed by its author and its witness; in one signed by its author alone. */
export const FIELDS: Readonly<Record<FieldName, number>> = {
  flags: 0,
  author: 1,
  lane: 5,
  position: 9,
  generation: 13,
  witnessed: 17,
  chainHash: 30,
  witnessSignature: RECORD_HEAD_BYTES,
  signature: RECORD_HEAD_BYTES + 64,
  intention: RECORD_HEAD_BYTES + 128,
}

type FilledStore = Awaited<ReturnType<typeof createTestStore>>

interface Template {
  readonly store: FilledStore
  readonly files: ReadonlyMap<string, Buffer>
}

const templates = new Map<number, Promise<Template>>()

/** A closed store with something of everything, in a directory of its own. `writes` more own ones come last. */
export async function createFilledStore({ writes = 0 }: { readonly writes?: number } = {}): Promise<FilledStore> {
  const made = templates.get(writes) ?? makeTemplate(writes)
  templates.set(writes, made)
  const { store, files } = await made
  const directory = temporaryDirectory()
  for (const [name, content] of files) writeFileSync(join(directory, name), content)
  return { ...store, directory, options: { ...store.options, directory, projector: createTrackingProjector() } }
}

async function makeTemplate(writes: number): Promise<Template> {
  const store = await makeStore(writes)
  const names = readdirSync(store.directory)
  return { store, files: new Map(names.map((name) => [name, readFileSync(join(store.directory, name))])) }
}

async function makeStore(writes: number): Promise<FilledStore> {
  const store = await createTestStore()
  const { kernel, genesis } = store
  for (let n = 0; n < 10; n += 1) await kernel.submit(appOp(`set k${n} v`))
  let prev: IntentionId = genesis.id
  const chain = [2, 3].map((author) => {
    prev = genesis.id
    return Array.from({ length: 8 }, (_, n) => {
      const next = write(signerOf(author), { prev, at: at(n + author * 10), op: appOp(`set a${author}-${n} v`) })
      prev = next.id
      return next
    })
  })
  const [forked] = chain
  const branch = forked?.[3]
  assert(branch !== undefined, 'the chain is long enough')
  const sibling = write(signerOf(2), { prev: branch.id, at: at(90), op: appOp('set fork v') })
  const run = []
  prev = genesis.id
  for (let n = 0; n < 4; n += 1) {
    const next = write(signerOf(4), { prev, at: at(n + 60), close: n === 3, op: appOp(`set r${n} v`) })
    run.push(next)
    prev = next.id
  }
  for (const batch of [...chain, [sibling], run]) await kernel.ingest(batch, undefined)
  for (let n = 0; n < writes; n += 1) await kernel.submit(appOp(`set more${n} v`))
  assert(kernel.stats().witnessCount === RECORDS + writes, 'the store has as many records as it says')
  await kernel.close()
  return store
}

/** Looks through a store that is closed. */
export async function verifyDirectory(
  directory: string,
  { storeId, signer, clock }: KernelOptions,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  return verifyLog({
    directory,
    storeId,
    witnessKey: signer.publicKey,
    crypto,
    clock,
    scheduler: turnScheduler,
    fileCheck: inlineFileCheck,
    ...options,
  })
}

function openRaw(directory: string, file = 'log.db'): Database {
  const isLog = file === 'log.db'
  return openDatabase({
    path: join(directory, file),
    contents: 'other',
    durability: 'normal',
    applicationId: isLog ? LOG_APPLICATION_ID : 0x4c545453,
    migrations: isLog ? LOG_MIGRATIONS : ['there already', 'there already', 'there already'],
  })
}

/** Runs one statement on a closed store. */
export function changeTable(directory: string, sql: string, file?: string): void {
  const database = openRaw(directory, file)
  database.prepare(sql).run()
  database.close()
}

export function recordOf(directory: string, seq: number): Uint8Array {
  const database = openRaw(directory)
  const row = database.prepare<{ readonly record: Buffer }>('SELECT record FROM intentions WHERE seq = ?').get(seq)
  assert(row !== undefined, 'the record is there')
  const record = toPlainBytes(row.record).slice()
  database.close()
  return record
}

export function changeRecord(directory: string, seq: number, change: (record: Uint8Array) => Uint8Array): void {
  const changed = change(recordOf(directory, seq))
  const database = openRaw(directory)
  database.prepare('UPDATE intentions SET record = ? WHERE seq = ?').run(changed, seq)
  database.close()
}

export const PAGE_BYTES = 4096

/** Overwrites a part of a file. */
export function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, offset)
  closeSync(file)
}

/** Zeroes the page that holds a record. */
export function zeroPage(directory: string, { holding }: { readonly holding: number }): void {
  const path = join(directory, 'log.db')
  const at = readFileSync(path).indexOf(Buffer.from(recordOf(directory, holding)))
  assert(at > 0, 'the record lies on one page')
  overwrite(path, Math.floor(at / PAGE_BYTES) * PAGE_BYTES, new Uint8Array(PAGE_BYTES))
}
