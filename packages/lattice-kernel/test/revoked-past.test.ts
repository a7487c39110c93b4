/** What a peer that was removed may still be shown: the epochs that removed it, and what is in their past. */
import {
  assert,
  compareBytes,
  type IntentionId,
  isSigned,
  type ParsedIntention,
  parseSignedIntention,
  toHex,
} from '@lattice/model'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, PastReader } from '../src/index.ts'
import { createHistory, type History, keyOf, openCut } from './cutoff-history.ts'
import { crypto, removeDirectories, signerOf } from './harness.ts'
import { foundLog } from './plain-foundation.ts'

afterEach(removeDirectories)

async function kernelOf({ storeId, all }: Pick<History, 'storeId' | 'all'>): Promise<Kernel> {
  const { kernel } = await openCut({ storeId })
  await kernel.ingest(all, undefined)
  await kernel.recheckFloating()
  return kernel
}

function readAll(reader: PastReader, maxBytes = 1): ParsedIntention[] {
  const all: ParsedIntention[] = []
  for (let part = reader.next(maxBytes); part.length > 0; part = reader.next(maxBytes)) {
    for (const signed of part) {
      const parsed = parseSignedIntention(crypto, signed)
      if (!parsed.ok) throw new Error('a log holds intentions')
      all.push(parsed.value)
    }
    // Whoever is cut off after any part holds whole runs.
    const last = all.at(-1)
    if (last === undefined || !isSigned(last)) throw new Error('a part ends on a signature')
  }
  return all
}

const hexes = (items: readonly { readonly id: IntentionId }[]): string[] => items.map(({ id }) => toHex(id)).sort()

describe('what removed a peer', () => {
  test('is the epochs that stand and leave it nothing, until it is admitted again', async () => {
    const history = createHistory()
    const demotion = history.remove(1, 4, history.start, { remains: 'reader' })
    const removal = history.remove(1, 3, [])
    const concurrent = history.remove(2, 3, history.start)
    const kernel = await kernelOf(history)
    const sorted = [removal, concurrent].map(({ id }) => id).toSorted(compareBytes)
    expect(kernel.revokedBy(keyOf(3))).toEqual(sorted)
    expect(kernel.revokedBy(keyOf(4))).toEqual([])
    expect(kernel.revokedBy(keyOf(9))).toEqual([])
    // What else takes rights is told as well where somebody asks why a peer's acts are void.
    expect(kernel.recordsAbout(keyOf(4))).toEqual([demotion.id])
    expect(kernel.recordsAbout(keyOf(3)).toSorted(compareBytes)).toEqual(sorted)
    expect(kernel.recordsAbout(keyOf(9))).toEqual([])
    const back = history.admit(1, 3, [removal, concurrent, demotion])
    await kernel.ingest([back], undefined)
    expect(kernel.revokedBy(keyOf(3))).toEqual([])
    // And what let it in again, first.
    expect(kernel.recordsAbout(keyOf(3))[0]).toEqual(back.id)
    expect(kernel.recordsAbout(keyOf(3)).slice(1).toSorted(compareBytes)).toEqual(sorted)
    await kernel.close()
  })

  test('is nothing that is void', async () => {
    const history = createHistory()
    const bySenior = history.remove(1, 2, history.start)
    history.remove(2, 1, history.start)
    const kernel = await kernelOf(history)
    expect(kernel.revokedBy(keyOf(1))).toEqual([])
    expect(kernel.revokedBy(keyOf(2))).toEqual([bySenior.id])
    await kernel.close()
  })
})

describe('the past of an epoch', () => {
  test('is read whole, causes first, with what is unsigned and its closers, and nothing beside it', async () => {
    const history = createHistory()
    const before = history.write(4, 'set before 1')
    const [first, second] = [history.write(5, 'set a 1', [], false), history.write(5, 'set b 1', [])]
    const beside = history.write(3, 'set beside 1')
    const epoch = history.remove(1, 3, [...history.start, before, second])
    const after = history.write(4, 'set after 1', [epoch])
    const kernel = await kernelOf(history)
    const shown = readAll(kernel.readPast([epoch.id], []))
    expect(hexes(shown)).toEqual(hexes([...history.start, before, first, second, epoch]))
    for (const { id } of [beside, after]) expect(hexes(shown)).not.toContain(toHex(id))
    // Another kernel takes it in as it comes, and nothing floats.
    const { kernel: other } = await openCut({ storeId: history.storeId })
    for (const signed of shown) expect((await other.ingest([signed], undefined))[0]?.kind).not.toBe('invalid')
    expect(other.stats().floatingCount).toBe(0)
    expect(other.revokedBy(keyOf(3))).toEqual([epoch.id])
    await other.close()
    await kernel.close()
  })

  test('leaves out what is known with its past; what is not here says nothing', async () => {
    const history = createHistory()
    const known = history.write(4, 'set known 1')
    const unknown = history.write(5, 'set unknown 1')
    const epoch = history.remove(1, 3, [...history.start, known, unknown])
    const kernel = await kernelOf(history)
    const left = readAll(kernel.readPast([epoch.id], [known.id]))
    const seen = hexes(left)
    expect(seen).toContain(toHex(epoch.id))
    expect(seen).toContain(toHex(unknown.id))
    expect(seen).not.toContain(toHex(known.id))
    expect(seen).not.toContain(toHex(history.storeId))
    const elsewhere = createHistory().write(3, 'set elsewhere 1')
    expect(readAll(kernel.readPast([epoch.id], [elsewhere.id]))).toHaveLength(history.start.length + 3)
    expect(readAll(kernel.readPast([epoch.id], [epoch.id]))).toEqual([])
    expect(readAll(kernel.readPast([elsewhere.id], []))).toEqual([])
    expect(readAll(kernel.readPast([epoch.id], kernel.tipIds(100)))).toEqual([])
    expect(kernel.tipIds(2)).toHaveLength(2)
    await kernel.close()
  })

  test('shows what another removal cut, where the epoch has it in its past', async () => {
    const history = createHistory()
    const cut = history.write(4, 'set cut 1')
    history.remove(2, 4, history.start)
    const epoch = history.remove(1, 3, [...history.start, cut])
    const kernel = await kernelOf(history)
    expect(hexes(readAll(kernel.readPast([epoch.id], []), 1_000_000))).toContain(toHex(cut.id))
    await kernel.close()
  })
})

test('who removed its senior is told apart from who removed its junior', async () => {
  const history = createHistory()
  history.remove(2, 1, history.start)
  const kernel = await kernelOf(history)
  expect(kernel.juniorsAgainst(keyOf(1))).toEqual([keyOf(2)])
  await kernel.close()
  const other = createHistory()
  other.remove(1, 2, other.start)
  const second = await kernelOf(other)
  expect(second.juniorsAgainst(keyOf(2))).toEqual([])
  expect(second.juniorsAgainst(keyOf(1))).toEqual([])
  await second.close()
})

test('what removed a peer is for good once history is cut there, or above', async () => {
  const history = createHistory()
  const byJunior = history.remove(2, 1, history.start, { acks: [3, 4, 5] })
  const later = history.remove(2, 5, [byJunior], { acks: [3, 4] })
  const whole = await kernelOf(history)
  expect([whole.juniorsAgainst(keyOf(1)), whole.isOutForGood(keyOf(1))]).toEqual([[keyOf(2)], false])
  for (const base of [byJunior, later]) {
    const items = whole.foundation(base.id)?.read(0, 1e9)
    assert(items !== undefined, 'the epoch has a foundation')
    const signer = signerOf(99)
    const directory = foundLog(whole, items, base, signer)
    const { kernel } = await openCut({ storeId: history.storeId, directory, signer })
    expect(kernel.revokedBy(keyOf(1))).toEqual([byJunior.id])
    expect([kernel.juniorsAgainst(keyOf(1)), kernel.isOutForGood(keyOf(1))]).toEqual([[], true])
    expect(kernel.isOutForGood(keyOf(3))).toBe(false)
    await kernel.close()
  }
  await whole.close()
})
