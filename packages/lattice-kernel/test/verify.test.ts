/** What looking through a store finds: every kind of damage by its name and record, and nothing where there is none. */
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { equalBytes } from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import { KernelClosed, type VerifyReport } from '../src/index.ts'
import {
  at,
  createTestStore,
  openTestKernel,
  removeDirectories,
  signerOf,
  temporaryDirectory,
  write,
} from './harness.ts'
import {
  changeRecord,
  changeTable,
  createFilledStore,
  FIELDS,
  recordOf,
  RECORDS,
  verifyDirectory,
  zeroPage,
} from './damage.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

function kinds({ problems }: VerifyReport): readonly string[] {
  return problems.map(({ kind }) => kind)
}

describe('a sound store', () => {
  test('is found sound, open or not, and everything is counted', async () => {
    const { options, directory } = await createFilledStore()
    const closed = await verifyDirectory(directory, options)
    expect(closed).toMatchObject({
      outcome: 'sound',
      records: { checked: RECORDS, total: RECORDS },
      problemCount: 0,
      goodBefore: RECORDS,
      goodAfter: 0,
    })
    expect(closed.indexEntries).toBeGreaterThan(RECORDS)
    expect(closed.causes).toBeGreaterThan(RECORDS)
    expect(closed.intentionSignatures.checked).toBe(closed.intentionSignatures.total)
    const { kernel } = await openTestKernel({ ...options })
    const seen: string[] = []
    const open = await kernel.verify({ full: true, onProgress: ({ part }) => seen.push(part) })
    expect(open).toMatchObject({ outcome: 'sound', unchecked: [], records: { total: RECORDS } })
    expect(open.stateRows).toBeGreaterThan(0)
    expect([...new Set(seen)]).toEqual(['records', 'indexes', 'file'])
    await kernel.close()
  })

  test('of which an author forked at its first intention is found sound', async () => {
    const { kernel, genesis, directory, options } = await createTestStore()
    const first = write(signerOf(2), { prev: genesis.id, at: at(1), op: appOp('set a 1') })
    const other = write(signerOf(2), { prev: genesis.id, at: at(2), op: appOp('set b 1') })
    const later = write(signerOf(2), { prev: other.id, at: at(3), op: appOp('set b 2') })
    const outcomes = await kernel.ingest([first, other, later], undefined)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['witnessed', 'witnessed', 'witnessed'])
    expect(await kernel.verify()).toMatchObject({ outcome: 'sound', problems: [] })
    await kernel.close()
    expect(await verifyDirectory(directory, options)).toMatchObject({ outcome: 'sound', problems: [] })
  })

  test('that acknowledged others and was closed at another record than the last is found sound', async () => {
    const { options } = await createFilledStore()
    const { kernel, directory } = await openTestKernel({ ...options })
    await kernel.emitAck()
    for (let n = 0; n < 5; n += 1) await kernel.submit(appOp(`set after${n} v`))
    const crashed = temporaryDirectory()
    cpSync(directory, crashed, { recursive: true })
    expect(await kernel.verify()).toMatchObject({ problemCount: 0, records: { total: RECORDS + 6 } })
    await kernel.close()
    for (const each of [directory, crashed]) {
      expect(await verifyDirectory(each, options)).toMatchObject({ problems: [], records: { total: RECORDS + 6 } })
    }
  })

  test('says what it leaves out', async () => {
    const { kernel } = await createTestStore()
    const { unchecked } = await kernel.verify()
    expect(unchecked).toEqual(['the structure of log.db', 'whether state is what the log makes'])
    await kernel.close()
  })

  test('that is written to meanwhile is verified as it was at the start', async () => {
    const { options } = await createFilledStore()
    const { kernel } = await openTestKernel({ ...options })
    const verifying = kernel.verify({ full: true })
    const writes = Promise.all(Array.from({ length: 50 }, async (_, n) => kernel.submit(appOp(`set m${n} v`))))
    expect(await verifying).toMatchObject({ outcome: 'sound', records: { total: RECORDS } })
    await writes
    expect(await kernel.verify({ full: true })).toMatchObject({ outcome: 'sound', records: { total: RECORDS + 50 } })
    await kernel.close()
  })

  test('that is closed meanwhile ends the walk, and so does an abort', async () => {
    const { options, directory } = await createFilledStore()
    const { kernel } = await openTestKernel({ ...options })
    const verifying = kernel.verify({ onProgress: () => void kernel.close() })
    await expect(verifying).rejects.toThrow(KernelClosed)
    await kernel.close()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(verifyDirectory(directory, options, { signal })).rejects.toThrow('enough')
  })

  test('is not changed by being verified', async () => {
    const { options, directory } = await createFilledStore()
    const before = recordOf(directory, 9)
    await verifyDirectory(directory, options, { full: true })
    expect(equalBytes(recordOf(directory, 9), before)).toBe(true)
    const { kernel } = await openTestKernel({ ...options })
    expect(kernel.stats().witnessCount).toBe(RECORDS)
    await kernel.close()
  })
})

describe('a damaged record', () => {
  test.each([
    ['flags', FIELDS.flags, 'unreadable'],
    ['author', FIELDS.author, 'place'],
    ['lane', FIELDS.lane, 'place'],
    ['position', FIELDS.position, 'place'],
    ['generation', FIELDS.generation, 'place'],
    ['witnessed time', FIELDS.witnessed, 'chain'],
    ['chain hash', FIELDS.chainHash, 'chain'],
    ['signature', FIELDS.signature, 'intention_signature'],
    ['intention', FIELDS.intention, 'unreadable'],
    ['payload', -1, 'chain'],
  ] as const)('is named by its seq when its %s is changed', async (_, offset, kind) => {
    const { options, directory } = await createFilledStore()
    changeRecord(directory, 9, (record) => {
      const index = offset < 0 ? record.length + offset : offset
      record[index] = (record[index] ?? 0) ^ 0x40
      return record
    })
    const report = await verifyDirectory(directory, options)
    expect(kinds(report)).toContain(kind)
    expect(report.problems[0]?.seq).toBe(9)
    expect(report.outcome).toBe(kind === 'place' ? 'indexes' : 'records')
    if (kind === 'place') return
    expect(report.firstBad?.seq).toBe(9)
    expect(report.goodBefore).toBe(8)
    expect(report.goodAfter).toBeGreaterThanOrEqual(RECORDS - 9 - 1)
  })

  test('at the end without its witness signature, or with a wrong one', async () => {
    const { options, directory } = await createFilledStore()
    changeRecord(directory, RECORDS, (record) => {
      const index = FIELDS.witnessSignature + 3
      record[index] = (record[index] ?? 0) ^ 1
      return record
    })
    expect(await verifyDirectory(directory, options)).toMatchObject({
      outcome: 'records',
      firstBad: { kind: 'witness_signature', seq: RECORDS },
    })
  })

  test('that is gone, or stands twice, is named', async () => {
    const { options, directory } = await createFilledStore()
    changeTable(directory, 'DELETE FROM intentions WHERE seq = 9')
    const gone = await verifyDirectory(directory, options)
    expect(gone).toMatchObject({ outcome: 'records', firstBad: { kind: 'missing', seq: 9 }, goodBefore: 8 })
    expect(gone.goodAfter).toBe(RECORDS - 9)
    changeTable(directory, 'INSERT INTO intentions SELECT 9, record FROM intentions WHERE seq = 8')
    expect(kinds(await verifyDirectory(directory, options))).toContain('duplicate')
  })

  test('that state has seen and the log has lost is missing', async () => {
    const { options, directory } = await createFilledStore()
    changeTable(directory, `DELETE FROM intentions WHERE seq > ${RECORDS - 2}`)
    changeTable(directory, 'UPDATE log_meta SET head_seq = 0')
    const report = await verifyDirectory(directory, options)
    expect(report).toMatchObject({ outcome: 'records', firstBad: { kind: 'missing', seq: RECORDS - 1 } })
  })

  test('that another signed in between is found: order, causes and owners are checked, not only hashes', async () => {
    const { kernel, genesis, directory, options } = await createTestStore()
    const first = write(signerOf(2), { prev: genesis.id, at: at(1) })
    const second = write(signerOf(2), { prev: first.id, at: at(2) })
    await kernel.ingest([first], undefined)
    await kernel.ingest([second], undefined)
    await kernel.close()
    const [two, three] = [recordOf(directory, 2), recordOf(directory, 3)]
    changeRecord(directory, 2, () => three)
    changeRecord(directory, 3, () => two)
    const report = await verifyDirectory(directory, options)
    expect(kinds(report)).toEqual(expect.arrayContaining(['chain', 'cause_missing']))
    expect(report.firstBad?.seq).toBe(2)
  })

  test('on a page that cannot be read is skipped, and all around it is good', async () => {
    const { options, directory } = await createFilledStore({ writes: 300 })
    zeroPage(directory, { holding: 150 })
    const report = await verifyDirectory(directory, options)
    expect(report.outcome).toBe('records')
    const first = report.firstBad?.seq ?? 0
    expect(first).toBeGreaterThan(100)
    expect(first).toBeLessThanOrEqual(150)
    expect(report.goodBefore).toBe(first - 1)
    expect(report.goodAfter).toBeGreaterThan(100)
    expect(report.problemCount).toBe(RECORDS + 300 - report.goodBefore - report.goodAfter + 1)
  })
})

describe('what is derived', () => {
  test.each([
    ['ids', 'DELETE FROM ids WHERE seq = 5'],
    ['ids', 'UPDATE ids SET seq = 6 WHERE seq = 5'],
    ['ids', 'UPDATE ids SET prefix = prefix + 1 WHERE seq = 5'],
    ['authors', 'UPDATE authors SET key = zeroblob(32) WHERE author = 1'],
    ['authors', 'DELETE FROM authors WHERE author = 1'],
    ['lanes', 'UPDATE lanes SET head_seq = head_seq - 1 WHERE lane = 1'],
    ['lanes', 'UPDATE lanes SET parent_position = 7 WHERE lane = 2'],
    ['frontier', 'DELETE FROM frontier'],
    ['quiet', 'INSERT INTO quiet VALUES (1, 2, 3, 0)'],
    ['reach', 'DELETE FROM reach_blocks WHERE block = (SELECT max(block) FROM reach_blocks)'],
    [
      'reach',
      'UPDATE reach_blocks SET bytes = zeroblob(length(bytes)) WHERE block = (SELECT max(block) FROM reach_blocks)',
    ],
    ['range', 'DELETE FROM range_nodes WHERE node = (SELECT max(node) FROM range_nodes)'],
    [
      'range',
      'UPDATE range_nodes SET bytes = zeroblob(length(bytes)) WHERE node = (SELECT max(node) FROM range_nodes)',
    ],
    ['forks', 'INSERT INTO forks VALUES (0, 3, 900)'],
    ['frontier', 'INSERT INTO frontier VALUES (3, zeroblob(32))'],
  ])('is found wrong where %s is changed by %s', async (name, change) => {
    const { options, directory } = await createFilledStore()
    changeTable(directory, change)
    const report = await verifyDirectory(directory, options)
    expect(report.outcome).toBe('indexes')
    expect(report.problems).toMatchObject([{ kind: 'index', what: expect.stringContaining(name) }])
    expect(report.goodBefore).toBe(RECORDS)
  })

  test.each([
    'UPDATE log_meta SET fingerprint = zeroblob(32)',
    'UPDATE log_meta SET head_hash = zeroblob(32)',
    'UPDATE log_meta SET store_id = zeroblob(32)',
    'UPDATE log_meta SET hlc_wall = -1',
    'DELETE FROM log_meta',
  ])('is found wrong where the meta row is: %s', async (change) => {
    const { options, directory } = await createFilledStore()
    changeTable(directory, change)
    const report = await verifyDirectory(directory, options)
    expect(report.outcome).toBe('indexes')
    expect(kinds(report)).toContain('meta')
  })

  test('state that is not what the log makes is found by a full look', async () => {
    const { options } = await createFilledStore()
    const { kernel, directory } = await openTestKernel({ ...options })
    await kernel.close()
    changeTable(directory, "UPDATE app SET value = x'00' WHERE key = (SELECT min(key) FROM app)", 'state.db')
    const again = await openTestKernel({ ...options })
    expect(await again.kernel.verify()).toMatchObject({ outcome: 'sound' })
    const report = await again.kernel.verify({ full: true })
    expect(report).toMatchObject({ outcome: 'indexes', problems: [{ kind: 'state' }] })
    await again.kernel.rebuild()
    expect(await again.kernel.verify({ full: true })).toMatchObject({ outcome: 'sound' })
    await again.kernel.close()
  })

  test('state that was made of other records is found without opening it', async () => {
    const { options, directory } = await createFilledStore()
    changeTable(directory, 'UPDATE state_meta SET cursor_hash = zeroblob(32)', 'state.db')
    expect(await verifyDirectory(directory, options)).toMatchObject({
      outcome: 'indexes',
      problems: [{ kind: 'state', what: expect.stringContaining('state.db') }],
    })
  })
})

test('a file that is no log, or is not there, is an answer', async () => {
  const { options, directory } = await createFilledStore()
  const path = join(directory, 'log.db')
  writeFileSync(path, 'x'.repeat(9000))
  expect(await verifyDirectory(directory, options)).toMatchObject({
    outcome: 'records',
    firstBad: { kind: 'unreadable' },
  })
  rmSync(path)
  expect(await verifyDirectory(directory, options)).toMatchObject({ outcome: 'records', firstBad: { kind: 'missing' } })
})

test('an intention that the index of ids has lost is not witnessed a second time: the store fails instead', async () => {
  const { options, directory } = await createFilledStore()
  const { kernel: reader } = await openTestKernel({ ...options })
  const known = reader.scanWitness(1, RECORDS).map(({ parsed }) => parsed)
  await reader.close()
  for (const seq of [14, 20, RECORDS]) {
    const copy = temporaryDirectory()
    cpSync(directory, copy, { recursive: true })
    changeTable(copy, `DELETE FROM ids WHERE seq = ${seq}`)
    const { kernel } = await openTestKernel({ ...options, directory: copy })
    const failures: unknown[] = []
    kernel.onEvent((event) => event.kind === 'failed' && failures.push(event.error))
    const again = known[seq - 1]
    await expect(kernel.ingest(again === undefined ? [] : [again], undefined)).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
    })
    expect(failures).toMatchObject([{ code: 'LOG_DAMAGED' }])
    expect(kernel.stats().witnessCount).toBe(RECORDS)
    await kernel.close()
  }
})
