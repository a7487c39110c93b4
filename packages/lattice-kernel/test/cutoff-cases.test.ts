/** A removal, case by case: what goes, what comes back, what a crash or a hostile peer can do about it. */
import { idKey, type IntentionId, type ParsedIntention, toHex, toIntentionId, utf8Encode } from '@lattice/model'
import type { StorageHooks, StoragePoint } from '@lattice/storage'
import type { MembershipPolicy } from '@lattice/store-base'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernel, KernelEvent } from '../src/index.ts'
import { createHistory, keyOf, modelPolicy, openCut } from './cutoff-history.ts'
import { createCutoffProjector, cutoffAuthority } from './cutoff-projector.ts'
import { changeTable } from './damage.ts'
import { openTestKernel, removeDirectories, signerOf } from './harness.ts'
import { done, openIn, timeline } from './timeline.ts'

afterEach(removeDirectories)

const ids = (items: readonly { readonly id: Uint8Array }[]): string[] => items.map(({ id }) => toHex(id))
const valueOf = (kernel: Kernel, key: string): boolean => kernel.tables().app.get(utf8Encode(key)) !== undefined

async function fresh(storeId: Parameters<typeof openCut>[0]['storeId'], all: readonly ParsedIntention[]) {
  const { kernel } = await openCut({ storeId })
  await kernel.ingest(all, undefined)
  return kernel
}

/** What two kernels of the same intentions agree on. */
async function expectSame(kernel: Kernel, other: Kernel): Promise<void> {
  expect(kernel.digest()).toEqual(other.digest())
  expect(kernel.frontier()).toEqual(other.frontier())
  expect(kernel.chainTips(100)).toEqual(other.chainTips(100))
  expect(await kernel.stateDigest()).toEqual(await other.stateDigest())
  await other.close()
}

describe('what was witnessed before its author was removed', () => {
  test('leaves set, tips and state, and is told, unless somebody has built on it', async () => {
    const history = createHistory()
    const linked = history.write(3, 'set linked 1')
    const cut = history.write(3, 'set cut 1')
    const built = history.write(4, 'set built 1', [linked])
    const { kernel, options } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    await kernel.ingest(history.all, undefined)
    const before = kernel.digest()
    expect(['linked', 'cut', 'built'].map((key) => valueOf(kernel, key))).toEqual([true, true, true])
    const epoch = history.remove(1, 3, history.start)
    await kernel.ingest([epoch], undefined)
    await kernel.recheckFloating()
    expect(kernel.excluded(10)).toMatchObject([
      { id: linked.id, author: keyOf(3), epoch: epoch.id, isLink: true },
      { id: cut.id, author: keyOf(3), epoch: epoch.id, isLink: false },
    ])
    expect(['linked', 'cut', 'built'].map((key) => valueOf(kernel, key))).toEqual([false, false, true])
    expect(kernel.digest().witnessCount).toBe(before.witnessCount)
    expect(ids(kernel.tips().find(({ author }) => idKey(author) === idKey(keyOf(3)))?.tips ?? [])).toEqual(
      ids([linked]),
    )
    expect(kernel.tipOf(keyOf(3))).toEqual(linked.id)
    expect(kernel.readChain(cut.id, undefined, 10)).toEqual([])
    expect(kernel.frontier().map(toHex).sort()).toEqual(ids([built, epoch]).sort())
    expect(events.filter(({ kind }) => kind !== 'epoch_settled')).toMatchObject([
      { kind: 'excluded', author: keyOf(3), count: 2, epoch: epoch.id, own: false },
      { kind: 'rebuilt' },
    ])
    await kernel.close()
    const again = await openCut({ ...options, storeId: history.storeId })
    expect(again.kernel.excluded(10)).toHaveLength(2)
    await expectSame(again.kernel, await fresh(history.storeId, history.all))
    await again.kernel.close()
  })

  test('is listed a page at a time, all of it once, whatever comes meanwhile', async () => {
    const history = createHistory()
    for (const by of [3, 4]) for (let n = 0; n < 5; n += 1) history.write(by, `set cut-${by}-${n} 1`)
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest(history.all, undefined)
    await kernel.ingest([history.remove(1, 3, history.start), history.remove(2, 4, history.start)], undefined)
    const seen: string[] = []
    let after: IntentionId | undefined
    while (seen.length < 50) {
      const page = kernel.excluded(3, after)
      seen.push(...ids(page))
      after = page.at(-1)?.id
      if (page.length < 3) break
      if (seen.length > 3) continue
      // Of the first author there is one more, as somebody has built on it.
      const late = history.write(3, 'set late 1')
      await kernel.ingest([late, history.write(5, 'set built 1', [late])], undefined)
    }
    expect(seen).toHaveLength(11)
    expect(seen).toEqual(ids(kernel.excluded(100)))
    expect(kernel.excluded(9, toIntentionId(new Uint8Array(32)))).toEqual([])
    await kernel.close()
  })

  test('comes back when a senior voids the removal, or when the one who removed is removed before', async () => {
    const history = createHistory()
    const mine = history.write(1, 'set mine 1')
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest(history.all, undefined)
    const byJunior = history.remove(2, 1, history.start)
    await kernel.ingest([byJunior], undefined)
    await kernel.recheckFloating()
    expect(valueOf(kernel, 'mine')).toBe(false)
    const later = history.write(1, 'set later 1')
    expect(await kernel.ingest([later], undefined)).toMatchObject([{ kind: 'floating', reason: 'revoked' }])
    const bySenior = history.remove(1, 2, [mine])
    expect(await kernel.ingest([bySenior], undefined)).toMatchObject([{ kind: 'witnessed' }])
    await kernel.recheckFloating()
    expect(['mine', 'later'].map((key) => valueOf(kernel, key))).toEqual([true, true])
    await expectSame(kernel, await fresh(history.storeId, history.all))
    await kernel.close()
  })

  test('calls for no ack, and its author is behind in nothing that is cut', async () => {
    const history = createHistory()
    history.write(3, 'set cut 1')
    const epoch = history.remove(1, 3, history.start)
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest(history.all, undefined)
    expect(kernel.excluded(10)).toHaveLength(1)
    const ack = history.write(4, 'set seen 1', [epoch])
    await kernel.ingest([ack], undefined)
    expect(kernel.lag(keyOf(4))).toEqual({ unseen: 0, unseenSinceMs: undefined })
    await kernel.close()
  })
})

test('epochs of who is removed come to the same where they come before that removal and after it', async () => {
  const history = createHistory()
  const first = history.remove(2, 4, history.start)
  const second = history.remove(2, 3, [first])
  const before = [...history.all]
  const bySenior = history.remove(1, 2, history.start)
  const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
  await kernel.ingest(before, undefined)
  await kernel.ingest([bySenior], undefined)
  await kernel.recheckFloating()
  expect([first, second].map(({ id }) => kernel.membership().faultOf(id))).toEqual(['outranked', 'outranked'])
  const { kernel: other } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
  await other.ingest(
    history.all.filter((each) => each !== first && each !== second),
    undefined,
  )
  await other.ingest([first, second], undefined)
  await other.recheckFloating()
  expect(kernel.excluded(10).filter(({ isLink }) => isLink)).toEqual([])
  await expectSame(kernel, other)
  await kernel.close()
})

test('an epoch that may come to count is in no state while it is excluded: not everybody has it', async () => {
  const history = createHistory()
  const waiting = history.remove(3, 4, history.start)
  const before = [...history.all]
  const removal = history.remove(1, 3, history.start)
  const membership: MembershipPolicy = {
    ...modelPolicy,
    resolve: (past) => {
      const view = modelPolicy.resolve(past)
      const faultOf = (id: IntentionId) => (idKey(id) === idKey(waiting.id) ? 'admin_unknown' : view.faultOf(id))
      return { ...view, faultOf }
    },
  }
  const open = async (): Promise<Kernel> => {
    const tracking = createCutoffProjector()
    const apply: typeof tracking.apply = (tables, op) => {
      if (op.op?.op.case !== 'epoch') return tracking.apply(tables, op)
      tables.system.set(utf8Encode(`epoch/${toHex(op.id)}`), op.id)
      return { kind: 'applied', events: [] }
    }
    const about = { storeId: history.storeId, signer: signerOf(9), membership, authority: cutoffAuthority }
    return (await openTestKernel({ ...about, ackDelayMs: Infinity, projector: { ...tracking, apply } })).kernel
  }
  const kernel = await open()
  await kernel.ingest(before, undefined)
  const isInState = (): boolean => kernel.tables().system.get(utf8Encode(`epoch/${toHex(waiting.id)}`)) !== undefined
  expect(isInState()).toBe(true)
  await kernel.ingest([removal], undefined)
  await kernel.recheckFloating()
  expect(kernel.excluded(10)).toMatchObject([{ id: waiting.id, isLink: false }])
  expect(isInState()).toBe(false)
  const other = await open()
  await other.ingest(
    history.all.filter((each) => each !== waiting),
    undefined,
  )
  await other.recheckFloating()
  expect(other.has(waiting.id)).toBe(false)
  await expectSame(kernel, other)
  await kernel.close()
})

test('what an epoch comes to by its own past stays, whatever else is known', async () => {
  const history = createHistory()
  const byJunior = history.remove(2, 4, history.start)
  const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
  await kernel.ingest(history.all, undefined)
  const bySenior = history.remove(1, 2, history.start)
  await kernel.ingest([bySenior], undefined)
  const at = (...epochs: ParsedIntention[]) => kernel.membershipAt(epochs.map(({ id }) => id))
  expect(kernel.membership().faultOf(byJunior.id)).toBe('outranked')
  expect([at(byJunior).faultOf(byJunior.id), at(byJunior).limited()]).toEqual([undefined, [keyOf(4)]])
  expect([at(bySenior).faultOf(bySenior.id), at(bySenior).limited()]).toEqual([undefined, [keyOf(2)]])
  expect(at(byJunior, bySenior).limited()).toEqual(kernel.membership().limited())
  expect(at().limited()).toEqual([])
  expect(at(history.write(3, 'set unknown 1')).limited()).toEqual([])
  await kernel.close()
})

describe('a node that is removed', () => {
  test('is told what of its own was cut, may not write on, and may again once it is invited', async () => {
    const history = createHistory()
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(3) })
    await kernel.ingest(history.all, undefined)
    const own = await kernel.submit({ kind: 'appData', schema: 1, value: utf8Encode('set own 1') })
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    const epoch = history.remove(1, 3, history.start)
    await kernel.ingest([epoch], undefined)
    await kernel.recheckFloating()
    expect(events).toContainEqual({ kind: 'excluded', author: keyOf(3), count: 1, epoch: epoch.id, own: true })
    expect(ids(kernel.excluded(10))).toEqual([toHex(own)])
    const write = async () => kernel.submit({ kind: 'appData', schema: 1, value: utf8Encode('set more 1') }, {})
    await expect(write()).rejects.toMatchObject({ code: 'REVOKED' })
    const back = history.admit(1, 3, [])
    await kernel.ingest([back], undefined)
    const after = await kernel.submit(
      { kind: 'appData', schema: 1, value: utf8Encode('set after 1') },
      { deps: () => [back.id] },
    )
    expect(valueOf(kernel, 'after')).toBe(true)
    // It goes on from what was cut, which is a link now.
    expect(kernel.excluded(10)).toMatchObject([{ id: own, isLink: true }])
    expect(kernel.digest().witnessCount).toBe(kernel.stats().witnessCount)
    expect(kernel.isAncestor(own, after)).toBe(true)
    await kernel.close()
  })
  test('goes on from its own that came after the removal, as one behind a cut brings it, once it is invited', async () => {
    const history = createHistory()
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(3) })
    const epoch = history.remove(1, 3, history.start)
    const own = history.write(3, 'set own 1')
    await kernel.ingest([...history.start, epoch], undefined)
    expect(await kernel.ingest([own], undefined)).toMatchObject([{ kind: 'floating', reason: 'revoked' }])
    const back = history.admit(1, 3, [])
    await kernel.ingest([back], undefined)
    await kernel.recheckFloating()
    expect(kernel.excluded(10)).toMatchObject([{ id: own.id, isLink: false }])
    // Others do not have it, and the set is the same.
    const other = await fresh(history.storeId, [...history.start, epoch, back])
    expect(kernel.digest().fingerprint).toEqual(other.digest().fingerprint)
    await other.close()
    const after = await kernel.submit(
      { kind: 'appData', schema: 1, value: utf8Encode('set after 1') },
      { deps: () => [back.id] },
    )
    expect(kernel.get(after)?.parsed.intention.storePrev).toEqual(own.id)
    expect(kernel.excluded(10)).toMatchObject([{ id: own.id, isLink: true }])
    await kernel.close()
  })
})

describe('a hostile author', () => {
  test('who was removed cannot float more than anybody, and changes nothing by it', { timeout: 60_000 }, async () => {
    const history = createHistory()
    history.remove(1, 3, history.start)
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest(history.all, undefined)
    const digest = kernel.digest()
    const flood = Array.from({ length: 8500 }, (_, n) => history.write(3, `set f${n} 1`, [], n % 250 === 249))
    const outcomes = await kernel.ingest(flood, undefined)
    expect(outcomes.every(({ kind }) => kind === 'floating')).toBe(true)
    expect(kernel.stats().floatingCount).toBeLessThanOrEqual(8192)
    expect(kernel.digest()).toEqual(digest)
    await kernel.close()
  })

  test(
    'whose thousands of cut writes somebody builds on has them linked, in one go and in any order',
    { timeout: 60_000 },
    async () => {
      const history = createHistory()
      const epoch = history.remove(1, 3, history.start)
      const cut: ParsedIntention[] = []
      // Two lanes of signed ones that cite each other, and a run to end with.
      for (let n = 0; n < 1500; n += 1) cut.push(history.write(3, `set a${n} 1`, cut.slice(-1)))
      for (let n = 0; n < 1500; n += 1) cut.push(history.write(3, `set b${n} 1`, [], n % 250 === 249))
      const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
      await kernel.ingest(history.start, undefined)
      await kernel.ingest([epoch], undefined)
      const before = kernel.digest().witnessCount
      await kernel.ingest(cut.toReversed(), undefined)
      expect(kernel.digest().witnessCount).toBe(before)
      const built = history.write(4, 'set built 1', [cut[2400] ?? epoch])
      expect(await kernel.ingest([built], undefined)).toMatchObject([{ kind: 'witnessed' }])
      // Up to the signature that closes the run of what was built on.
      expect(kernel.digest().witnessCount).toBe(before + 2500 + 1)
      expect(kernel.excluded(4096)).toHaveLength(2500)
      expect(valueOf(kernel, 'a0')).toBe(false)
      expect(valueOf(kernel, 'built')).toBe(true)
      await expectSame(kernel, await fresh(history.storeId, history.all))
      await kernel.close()
    },
  )

  test('who is nobody has nothing linked by citing it', async () => {
    const history = createHistory()
    const epoch = history.remove(1, 3, history.start)
    const cut = history.write(3, 'set cut 1')
    const stranger = history.write(8, 'set stranger 1', [cut])
    const { kernel } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest([...history.start, epoch], undefined)
    await kernel.ingest([cut, stranger], undefined)
    expect(
      kernel
        .floating(10)
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(['not_admitted', 'revoked'])
    await kernel.ingest([history.admit(1, 8, [])], undefined)
    expect(kernel.floating(10)).toEqual([])
    expect(kernel.excluded(10)).toMatchObject([{ id: cut.id, isLink: true }])
    await kernel.close()
  })
})

describe('a removal that is interrupted', () => {
  const POINTS: readonly StoragePoint[] = ['write', 'commit', 'committed']
  const FILES = ['log.db', 'state.db', 'state.rebuild.db']
  test.each(FILES.flatMap((file) => POINTS.map((point) => [file, point] as const)))(
    'in %s at %s comes to the same when the store is opened again',
    async (file, point) => {
      const history = createHistory()
      const linked = history.write(3, 'set linked 1')
      history.write(3, 'set cut 1')
      history.write(4, 'set built 1', [linked])
      let armed = false
      const hooks: StorageHooks = {
        at: (reached, path) => {
          if (!armed || reached !== point || !path.endsWith(file)) return
          armed = false
          throw new Error('power lost')
        },
      }
      const first = await openCut({ storeId: history.storeId, signer: signerOf(9), storageHooks: hooks })
      await first.kernel.ingest(history.all, undefined)
      await first.kernel.close()
      const { kernel, options } = await openCut({ ...first.options, storeId: history.storeId })
      const epoch = history.remove(1, 3, history.start)
      armed = true
      await kernel.ingest([epoch], undefined).catch(() => undefined)
      await kernel.close().catch(() => undefined)
      const again = await openCut({ ...options, storeId: history.storeId })
      await again.kernel.ingest([epoch], undefined)
      await again.kernel.recheckFloating()
      expect((await again.kernel.verify()).problems).toEqual([])
      await expectSame(again.kernel, await fresh(history.storeId, history.all))
      await again.kernel.close()
    },
  )
})

describe('a disk that is full when state is made anew', () => {
  /** Refuses the new state while it is full. */
  async function openOnDisk(history: ReturnType<typeof createHistory>) {
    const scheduler = timeline()
    const disk = { isFull: false }
    const told: KernelEvent['kind'][] = []
    const levels: string[] = []
    const log = (level: string) => (message: string) => void levels.push(`${level}: ${message}`)
    const ignore = (): void => undefined
    const { kernel } = await openIn(scheduler, {
      storeId: history.storeId,
      signer: signerOf(9),
      ackDelayMs: Infinity,
      membership: modelPolicy,
      authority: cutoffAuthority,
      projector: createCutoffProjector(),
      logger: { debug: ignore, info: ignore, warn: log('warn'), error: log('error') },
      storageHooks: {
        at: (point, path) => {
          if (!disk.isFull || point !== 'open' || !path.endsWith('state.rebuild.db')) return
          throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
        },
      },
    })
    kernel.onEvent(({ kind }) => void told.push(kind))
    await done(scheduler, kernel.ingest(history.all, undefined))
    disk.isFull = true
    return { scheduler, disk, told, levels, kernel }
  }

  test('is told of once, and state is made of itself once there is room', async () => {
    const history = createHistory()
    history.write(3, 'set cut 1')
    const { scheduler, disk, told, levels, kernel } = await openOnDisk(history)
    await done(scheduler, kernel.ingest([history.remove(1, 3, history.start)], undefined))
    await scheduler.advanceAsync(30_000)
    expect(kernel.projection().stalled).toMatchObject({ error: { code: 'DISK_FULL' } })
    expect(levels).toEqual(['warn: projection stalled'])
    // It takes in what comes meanwhile.
    await done(scheduler, kernel.ingest([history.write(4, 'set later 1')], undefined))
    disk.isFull = false
    await scheduler.advanceAsync(5000)
    await done(scheduler, kernel.recheckFloating())
    expect(told.filter((kind) => kind === 'stalled' || kind === 'rebuilt')).toEqual(['stalled', 'rebuilt'])
    expect(kernel.projection().stalled).toBeUndefined()
    expect(['cut', 'later'].map((key) => valueOf(kernel, key))).toEqual([false, true])
    await done(scheduler, kernel.close())
  })
})

describe('a store of before anything could be excluded', () => {
  test('opens, and excludes from then on', async () => {
    const history = createHistory()
    history.write(3, 'set cut 1')
    const { kernel, options, directory } = await openCut({ storeId: history.storeId, signer: signerOf(9) })
    await kernel.ingest(history.all, undefined)
    await kernel.close()
    // The last step of each file's form, taken back.
    changeTable(directory, 'DROP TABLE excluded')
    for (const table of ['log_base', 'base_lanes', 'base_spans', 'anchors', 'range_nodes_odd']) {
      changeTable(directory, `DROP TABLE ${table}`)
    }
    changeTable(directory, 'PRAGMA user_version = 2')
    changeTable(directory, 'DROP TABLE state_root', 'state.db')
    changeTable(directory, 'ALTER TABLE state_meta DROP COLUMN made_with', 'state.db')
    changeTable(directory, 'PRAGMA user_version = 1', 'state.db')
    const again = await openCut({ ...options, storeId: history.storeId })
    expect(again.projector.applied).toEqual([])
    await again.kernel.ingest([history.remove(1, 3, history.start)], undefined)
    await expectSame(again.kernel, await fresh(history.storeId, history.all))
    expect((await again.kernel.verify()).problems).toEqual([])
    await again.kernel.close()
  })
})
