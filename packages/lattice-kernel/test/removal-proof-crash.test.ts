/** Power that is lost while a removal is shown: the store is what it was, or knows, and can be shown it again. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, type ParsedIntention } from '@lattice/model'
import type { StorageHooks } from '@lattice/storage'
import { afterEach, expect, test } from 'vitest'
import { encodeFoundationItem, type Kernel } from '../src/index.ts'
import { createHistory, keyOf } from './cutoff-history.ts'
import { removeDirectories, signerOf, temporaryDirectory } from './harness.ts'
import { openPlain, vouchersOf } from './plain-foundation.ts'

afterEach(removeDirectories)

const VICTIM = 3
/** Every third step, or page, unless all are asked for. */
const STEPS = process.env['LATTICE_CRASH_ALL'] === undefined ? 3 : 1

async function show(kernel: Kernel, items: readonly Uint8Array[]): Promise<unknown> {
  const proof = kernel.openRemovalProof()
  assert(proof !== undefined, 'none is under way')
  try {
    return (await proof.add(items)) ?? (await proof.end())
  } finally {
    proof.close()
  }
}

interface Removed {
  readonly history: ReturnType<typeof createHistory>
  readonly apart: ParsedIntention
  readonly epoch: ParsedIntention
  readonly items: readonly Uint8Array[]
}

/** 3 is removed, and has written what that had not seen. */
async function removedAway(): Promise<Removed> {
  const history = createHistory()
  const { storeId, start } = history
  const apart = history.write(VICTIM, 'set apart 1', start)
  const more = history.write(4, 'set more 1', start)
  const epoch = history.remove(1, VICTIM, [...start, more], { acks: [2, 4, 5] })
  const { kernel } = await openPlain({ storeId })
  await kernel.ingest(history.all, undefined)
  const founding = kernel.foundation(epoch.id)?.read(0, 1e9) ?? []
  const acks = vouchersOf(epoch, founding).map((ack) => ({ kind: 'ack', ack }) as const)
  const items = [...founding, ...acks].map(encodeFoundationItem)
  await kernel.close()
  return { history, apart, epoch, items }
}

test('at any step a crash leaves the one or the other, and nothing of what was begun', async () => {
  const { history, apart, epoch, items } = await removedAway()
  const { storeId, start } = history
  const seen = { in: 0, out: 0 }
  for (let nth = 1, isOver = false; !isOver; nth += STEPS) {
    const directory = temporaryDirectory()
    let copy: string | undefined
    let left = Number.POSITIVE_INFINITY
    const storageHooks: StorageHooks = {
      at: (point) => {
        if (point === 'write' || point === 'written') return
        left -= 1
        if (left !== 0) return
        // What the disk has at this moment is what there is after a crash.
        copy = temporaryDirectory()
        cpSync(directory, copy, { recursive: true })
      },
    }
    const victim = { storeId, signer: signerOf(VICTIM) }
    const { kernel } = await openPlain({ ...victim, directory, storageHooks })
    await kernel.ingest([...start, apart], undefined)
    left = nth
    expect(await show(kernel, items)).toBe(true)
    left = Number.POSITIVE_INFINITY
    await kernel.close()
    isOver = copy === undefined
    const again = await openPlain({ ...victim, directory: copy ?? directory })
    const isOut = again.kernel.removal() !== undefined
    seen[isOut ? 'out' : 'in'] += 1
    expect(again.kernel.excluded(9)).toHaveLength(isOut ? 1 : 0)
    expect(again.kernel.revokedBy(keyOf(VICTIM))).toHaveLength(isOut ? 1 : 0)
    expect(existsSync(join(copy ?? directory, 'removing'))).toBe(false)
    if (!isOut) expect(await show(again.kernel, items)).toBe(true)
    expect(again.kernel.removal()?.epoch).toEqual(epoch.id)
    expect((await again.kernel.verify()).outcome).toBe('sound')
    await again.kernel.close()
  }
  expect(Math.min(seen.in, seen.out)).toBeGreaterThan(0)
})

test('where what showed it is damaged the store opens as it was, and is shown it again', async () => {
  const { history, apart, items } = await removedAway()
  const victim = { storeId: history.storeId, signer: signerOf(VICTIM) }
  const made = await openPlain(victim)
  await made.kernel.ingest([...history.start, apart], undefined)
  expect(await show(made.kernel, items)).toBe(true)
  await made.kernel.close()
  const kept = join(made.directory, 'removed', 'log.db')
  const whole = new Uint8Array(readFileSync(kept))
  for (let from = 0; from < whole.length; from += 4096 * STEPS) {
    const directory = temporaryDirectory()
    cpSync(made.directory, directory, { recursive: true })
    const noise = whole.slice()
    noise.fill(0xa5, from, from + 3000)
    writeFileSync(join(directory, 'removed', 'log.db'), noise)
    const { kernel } = await openPlain({ ...victim, directory })
    // Of some pages nothing is needed.
    if (kernel.removal() === undefined) expect(await show(kernel, items)).toBe(true)
    expect(kernel.excluded(9)).toHaveLength(1)
    expect((await kernel.verify()).outcome).toBe('sound')
    await kernel.close()
  }
})
