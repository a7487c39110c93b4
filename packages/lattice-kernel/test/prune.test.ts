/** A log that prunes itself: when, what is left, and what is said of the rest. */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { equalBytes, toHex } from '@lattice/model'
import { weaver } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import {
  beginReplacement,
  commitReplacement,
  HistoryPruned,
  type KernelEvent,
  peekLog,
  rebuildLog,
  salvageLog,
  verifyLog,
} from '../src/index.ts'
import { changeTable } from './damage.ts'
import { createMesh, creator } from './epoch-nodes.ts'
import { crypto, removeDirectories, signerOf, temporaryDirectory, turnScheduler } from './harness.ts'
import { createModelPolicy } from './model-policy.ts'
import { createPruneHistory, expectedSet, type PruneHistory } from './prune-history.ts'
import { expectSame, finishPrune, ingest, openPruning, until } from './prune-pair.ts'
import { appOp } from './tracking-projector.ts'

afterEach(removeDirectories)

/** A pruned log with an early tail and something after it, beside one that is whole. */
async function openPair(seed: number) {
  const history = createPruneHistory(seed)
  const { kernel: whole } = await openPruning(history, { snapshots: false })
  const opened = await openPruning(history)
  const kernels = { pruned: opened.kernel, whole }
  history.writes(40)
  for (const kernel of [whole, opened.kernel]) await ingest(kernel, history.all)
  const epoch = history.prune(0)
  await finishPrune(history, kernels, { epoch, early: history.writes(6, [1, 2, 3]) })
  const later = history.writes(20)
  for (const kernel of [whole, opened.kernel]) await ingest(kernel, later)
  return { ...opened, ...kernels, history, epoch }
}

function aboutLog({ storeId }: Pick<PruneHistory, 'storeId'>, directory: string) {
  const { publicKey: witnessKey } = signerOf(9)
  const clock = { wallMs: () => 0, monotonicMs: () => 0 }
  return { directory, storeId, witnessKey, crypto, clock, scheduler: turnScheduler, membership: createModelPolicy() }
}

describe('a prune', () => {
  test('leaves what is live, shrinks the file, and the log goes on', { timeout: 60_000 }, async () => {
    const mesh = createMesh()
    const { kernel, directory } = await mesh.open(creator, { snapshots: true })
    const events: KernelEvent[] = []
    kernel.onEvent((event) => events.push(event))
    const writes = Array.from({ length: 20_000 }, (_, n) => ({ op: appOp(`set key-${n % 10} ${n}`) }))
    await mesh.run(kernel.submitMany(writes))
    const epoch = await mesh.run(kernel.submitEpoch({ kind: 'prune' }))
    const before = toHex(await mesh.run(kernel.stateDigest()))
    const [gone] = kernel.scanWitness(100, 1)
    while (!events.some(({ kind }) => kind === 'pruned')) await mesh.scheduler.advanceAsync(1000)
    expect(kernel.base()).toEqual({ epoch, seq: 0n, fromSeq: 20_002, goneCount: 20_000 })
    expect(gone && kernel.has(gone.parsed.id)).toBe(false)
    expect(gone && kernel.seenByAll()(gone.parsed.id)).toBe(true)
    expect(kernel.pruning()).toEqual({ state: 'idle' })
    const pruned = events.find((event) => event.kind === 'pruned')
    expect(pruned).toMatchObject({ epoch, intentions: 20_000 })
    const size = statSync(join(directory, 'log.db')).size
    expect(pruned?.bytesAfter).toBe(size)
    expect(pruned?.bytesBefore).toBeGreaterThan(4_000_000)
    // The live rows are one page; each table and index has at least that.
    expect(size).toBeLessThan(500_000)
    expect(statSync(join(directory, 'log.db-wal')).size).toBe(0)
    expect(events.filter(({ kind }) => kind === 'prune_progress').length).toBeGreaterThan(5)
    expect(toHex(await mesh.run(kernel.stateDigest()))).toBe(before)
    await mesh.run(kernel.submit(appOp('put key-1 again'), { deps: () => [] }))
    expect(kernel.scanWitness(20_002, 100).map(({ parsed }) => parsed.op.kind)).toEqual([
      'epoch',
      'epochAck',
      'appData',
    ])
    expect(kernel.stats().witnessCount).toBe(4)
    await mesh.run(kernel.close())
    expect(peekLog(directory)?.witnessCount).toBe(4)
  })

  test('leaves less on the disk of a small store too, the write-ahead log taken with it', async () => {
    const mesh = createMesh()
    const { kernel, directory } = await mesh.open(creator, { snapshots: true })
    const sizes = () => ['log.db', 'log.db-wal'].map((name) => statSync(join(directory, name)).size)
    const writes = Array.from({ length: 40 }, (_, n) => ({ op: appOp(`set key-${n % 4} ${n}`) }))
    await mesh.run(kernel.submitMany(writes))
    const [file = 0, ahead = 0] = sizes()
    await mesh.run(kernel.submitEpoch({ kind: 'prune' }))
    while (kernel.base() === undefined || kernel.pruning().state !== 'idle') await mesh.scheduler.advanceAsync(1000)
    const [left = 0, after] = sizes()
    expect(after).toBe(0)
    expect(left).toBeLessThan(file + ahead)
    await mesh.run(kernel.close())
  })

  test('waits for peers, for their roots, for agreement, and for a snapshot, and says so', async () => {
    const history = createPruneHistory(3)
    const { kernel } = await openPruning(history)
    const { kernel: bare } = await openPruning(history, { snapshots: false })
    history.writes(20)
    const epoch = history.prune(0)
    for (const each of [kernel, bare]) await ingest(each, history.all)
    await kernel.makeSnapshot().catch(() => undefined)
    const waits = () => [kernel, bare].map((each) => each.pruning().waitsFor)
    expect(waits()).toEqual(['settlement', 'settlement'])
    while (kernel.snapshot().candidate === undefined) await turn()
    const root = kernel.snapshot().candidate?.root ?? new Uint8Array()
    const acks = [1, 2, 3].map((by) => history.ack(by, epoch, by === 1 ? root : new Uint8Array()))
    for (const each of [kernel, bare]) await ingest(each, acks)
    await turn()
    expect(waits()).toEqual(['finality', 'finality'])
    const wrong = history.ack(2, epoch, new Uint8Array(32).fill(9))
    for (const each of [kernel, bare]) await ingest(each, [wrong])
    await turn()
    expect(waits()).toEqual(['agreement', 'agreement'])
    expect([kernel.base(), bare.base()]).toEqual([undefined, undefined])
    await kernel.close()
    await bare.close()
  })

  test('waits for all that it names while nobody knows who is active', async () => {
    const history = createPruneHistory(5)
    const policy = createModelPolicy()
    let isKnown = true
    const { kernel } = await openPruning(history, {
      membership: {
        ...policy,
        resolve: (past) => {
          const view = policy.resolve(past)
          return { ...view, active: () => (isKnown ? view.active() : []) }
        },
      },
    })
    history.writes(10)
    await ingest(kernel, history.all)
    const epoch = history.prune(0)
    const made = until(kernel, ({ kind }) => kind === 'snapshot_made')
    await ingest(kernel, [epoch])
    await made
    const root = kernel.snapshot().candidate?.root ?? expect.unreachable()
    isKnown = false
    // Enough have signed it, and one has not seen it.
    await ingest(
      kernel,
      [1, 2].map((by) => history.ack(by, epoch, root)),
    )
    expect(kernel.epoch(epoch.id)).toMatchObject({ isSettled: false, waitingFor: [history.peers[3]?.publicKey] })
    expect(kernel.pruning()).toMatchObject({ state: 'waiting', waitsFor: 'settlement' })
    expect(kernel.base()).toBeUndefined()
    await kernel.close()
  })

  test('waits for the state there, where only one at a later epoch is here that may never be settled', async () => {
    const history = createPruneHistory(11)
    const { kernel } = await openPruning(history)
    history.writes(20)
    const epoch = history.prune(0)
    await ingest(kernel, history.all)
    while (kernel.snapshot().candidate === undefined) await turn()
    const root = kernel.snapshot().candidate?.root ?? new Uint8Array()
    const later = history.epoch(
      0,
      { case: 'initial', value: create(weaver.InitialCauseSchema) },
      history.peers.slice(1),
    )
    await ingest(kernel, [later])
    while (!equalBytes(kernel.snapshot().candidate?.epoch ?? epoch.id, later.id)) await turn()
    // Nobody has seen the later one as they acknowledge this.
    const done = until(kernel, ({ kind }) => kind === 'pruned')
    await ingest(
      kernel,
      [1, 2, 3].map((by) => history.ack(by, epoch, root)),
    )
    await done
    expect(kernel.epoch(later.id)).toMatchObject({ isSettled: false })
    expect(kernel.snapshot()).toMatchObject({ settled: { epoch: epoch.id, root } })
    expect(kernel.readSnapshot({ epoch: epoch.id, maxBytes: 1000 }).root).toEqual(root)
    await kernel.close()
  })

  test('that nobody has state for here never begins', async () => {
    const { whole } = await openPair(5)
    expect(whole.pruning()).toMatchObject({ state: 'waiting', waitsFor: 'snapshot' })
    expect(whole.base()).toBeUndefined()
    await whole.close()
  })

  test('whose epoch cuts a run in two has no effect, final or not', async () => {
    const history = createPruneHistory(4)
    const { kernel } = await openPruning(history)
    history.writes(12)
    const part = history.part(1)
    history.sees(0, [part])
    const epoch = history.prune(0)
    history.writes(1, [1])
    await kernel.ingest(history.all, undefined)
    while (kernel.snapshot().candidate === undefined) await turn()
    const root = kernel.snapshot().candidate?.root ?? new Uint8Array()
    await ingest(
      kernel,
      [1, 2, 3].map((by) => history.ack(by, epoch, root)),
    )
    await turn()
    expect(kernel.epochs()[0]).toMatchObject({ id: epoch.id, isFinal: true })
    expect([kernel.base(), kernel.pruning(), kernel.over(epoch.id)]).toEqual([undefined, { state: 'idle' }, undefined])
    await kernel.close()
  })

  test('below an earlier epoch deletes below that alone', async () => {
    const history = createPruneHistory(11)
    const { kernel: whole } = await openPruning(history, { snapshots: false })
    const { kernel: pruned } = await openPruning(history)
    history.writes(30)
    const earlier = history.epoch(0, { case: 'key', value: create(weaver.KeyCauseSchema) }, history.peers.slice(1))
    const mark = history.all.length
    history.writes(30)
    for (const kernel of [whole, pruned]) await ingest(kernel, history.all)
    const epoch = history.prune(0, earlier)
    await finishPrune(history, { pruned, whole }, { epoch, early: [] })
    expect(pruned.base()).toMatchObject({ epoch: earlier.id })
    // Nobody had acknowledged it by itself; others begin with its state all the same.
    while (pruned.snapshot().base === undefined) await turn()
    expect(pruned.snapshot()).toMatchObject({ base: { epoch: earlier.id }, settled: { epoch: epoch.id } })
    expect(pruned.readSnapshot({ epoch: earlier.id, maxBytes: 1000 }).rows.length).toBeGreaterThan(0)
    await expectSame(pruned, whole, expectedSet(history, earlier))
    expect(history.all.slice(mark).every(({ id }) => pruned.has(id))).toBe(true)
    await pruned.rebuild()
    await expectSame(pruned, whole, expectedSet(history, earlier))
    expect((await pruned.verify({ full: true })).problems).toEqual([])
    await pruned.close()
    await whole.close()
  })
})

describe('of what is gone', () => {
  test('takes what branches off from below an earlier one, where all else that did is gone', async () => {
    const history = createPruneHistory(21)
    const { kernel: pruned } = await openPruning(history)
    const { kernel: whole } = await openPruning(history, { snapshots: false })
    const kernels = { pruned, whole }
    const first = history.write(1, [history.genesis])
    const second = history.write(1, [first])
    const last = history.write(1, [second])
    history.write(2, [history.genesis])
    for (const kernel of [pruned, whole]) await ingest(kernel, history.all)
    // It waits for what it cites while the log is cut, and what went on from the same place is gone then.
    const late = history.write(2, [history.genesis], history.genesis)
    const branch = history.write(1, [late], first)
    for (const kernel of [pruned, whole]) {
      expect(await kernel.ingest([branch], undefined)).toMatchObject([{ kind: 'floating' }])
    }
    history.sees(0, [last])
    await finishPrune(history, kernels, { epoch: history.prune(0), early: [history.write(3, [first])] })
    for (const kernel of [pruned, whole]) {
      await ingest(kernel, [late])
      await kernel.recheckFloating()
    }
    expect([first, second, branch].map(({ id }) => pruned.has(id))).toEqual([false, false, true])
    // It stays, beside the next cut, in which what went on from the same place is asked for.
    const epoch = history.prune(0)
    await finishPrune(history, kernels, { epoch, early: [history.write(3, [branch])] })
    await expectSame(pruned, whole, expectedSet(history, epoch))
    expect((await pruned.verify({ full: true })).problems).toEqual([])
    for (const kernel of [pruned, whole]) await kernel.close()
  })

  test('readers get a typed answer, with where to go on', async () => {
    const { pruned, whole, history, epoch } = await openPair(21)
    const fromSeq = pruned.base()?.fromSeq ?? 0
    const detail = { epoch: toHex(epoch.id), fromSeq }
    for (const read of [
      () => pruned.scanWitness(1, 10),
      () => pruned.scanWitness(fromSeq - 1, 10),
      () => pruned.history(fromSeq, 10),
      () => pruned.witnessPage(2, 10),
    ]) {
      expect(read).toThrow(HistoryPruned)
      expect(read).toThrow(expect.objectContaining({ code: 'PRUNED', detail }))
    }
    expect(
      pruned
        .history(undefined, 4096)
        .map(({ seq }) => seq)
        .at(-1),
    ).toBe(fromSeq)
    expect(pruned.witnessPage(fromSeq, 4096).records).toHaveLength(pruned.scanWitness(fromSeq, 4096).length)
    const gone = history.all.filter((one) => !expectedSet(history, epoch).includes(one))
    expect(gone.length).toBeGreaterThan(10)
    expect(
      pruned.read(
        gone.map(({ id }) => id),
        1_000_000,
      ),
    ).toEqual({ intentions: [], rest: [] })
    const heads = history.all.slice(-1).map(({ id }) => id)
    expect(() => whole.downset(heads, { limit: 1000 })).not.toThrow()
    expect(() => pruned.downset(heads, { limit: 1000 })).toThrow(HistoryPruned)
    for (const { id } of gone) expect(pruned.getByPrefix(toHex(id).slice(0, 16))).toEqual([])
    await pruned.close()
    await whole.close()
  })

  test('nothing comes back, whoever sends it', async () => {
    const { pruned, whole, history, epoch } = await openPair(22)
    const before = pruned.digest()
    await pruned.ingest(history.all, undefined)
    expect(pruned.digest()).toEqual(before)
    await expectSame(pruned, whole, expectedSet(history, epoch))
    await pruned.close()
    await whole.close()
  })

  test('what nobody waited for takes the place of nothing that came after what it had seen', async () => {
    const history = createPruneHistory(24, { isLastReader: true })
    const { kernel: pruned } = await openPruning(history)
    const { kernel: whole } = await openPruning(history, { snapshots: false })
    const kernels = { pruned, whole }
    const covered = history.put(1, [history.genesis])
    history.sees(0, [history.write(1, [covered])])
    for (const kernel of [pruned, whole]) await ingest(kernel, history.all)
    const first = history.prune(0)
    await finishPrune(history, kernels, { epoch: first, early: [] })
    // It had seen the first cut, and comes after the second.
    const late = history.put(3, [first])
    const beside = history.put(1, [first])
    history.sees(0, [history.part(1), history.write(1, [beside])])
    for (const kernel of [pruned, whole]) await ingest(kernel, history.all.slice(-3))
    const second = history.prune(0)
    await finishPrune(history, kernels, { epoch: second, early: [] })
    expect([covered, beside].map(({ id }) => pruned.has(id))).toEqual([false, false])
    for (const kernel of [pruned, whole]) await ingest(kernel, [late])
    expect(toHex(await pruned.stateDigest())).toBe(toHex(await whole.stateDigest()))
    for (const kernel of [pruned, whole]) await kernel.close()
  })

  test('nothing is forked any more, whatever time the fork gives itself', async () => {
    const { pruned, whole, history } = await openPair(22)
    const before = pruned.digest()
    const fork = history.write(1, [history.genesis], history.genesis)
    expect(await whole.ingest([fork], undefined)).toMatchObject([{ kind: 'witnessed' }])
    expect(await pruned.ingest([fork], undefined)).toMatchObject([{ kind: 'duplicate' }])
    expect(pruned.digest()).toEqual(before)
    await pruned.close()
    await whole.close()
  })
})

describe('a pruned store', () => {
  test('without any snapshot says that it has to be fetched again, and replicates on', async () => {
    const { pruned, whole, history, epoch, directory, options } = await openPair(31)
    await pruned.close()
    for (const file of ['state.db', 'snapshot.db', 'snapshot.next.db']) rmSync(join(directory, file), { force: true })
    const { kernel } = await openPruning(history, options)
    expect(kernel.projection().stalled?.error).toMatchObject({ code: 'WRONG_STATE', message: /store repair/ })
    await expect(kernel.rebuild()).rejects.toMatchObject({ code: 'WRONG_STATE' })
    const later = history.writes(10)
    await ingest(whole, later)
    await ingest(kernel, later)
    expect(kernel.digest().witnessCount).toBe(expectedSet(history, epoch).length)
    await kernel.close()
    await whole.close()
  })

  test('is whole in its copy', async () => {
    const { pruned, whole, history, epoch, options } = await openPair(32)
    const target = temporaryDirectory()
    await pruned.copyTo(target)
    await pruned.close()
    rmSync(join(target, 'state.db'))
    const { kernel } = await openPruning(history, { ...options, directory: target })
    await expectSame(kernel, whole, expectedSet(history, epoch))
    await kernel.close()
    await whole.close()
  })

  test('is sound where somebody said of an epoch below the base what it had said there before', async () => {
    const history = createPruneHistory(34)
    const { kernel: whole } = await openPruning(history, { snapshots: false })
    const { kernel: pruned, directory } = await openPruning(history)
    history.writes(12)
    const below = history.prune(0)
    const root = new Uint8Array(32).fill(7)
    history.sees(0, [history.ack(1, below, root)])
    for (const kernel of [whole, pruned]) await ingest(kernel, history.all)
    const epoch = history.prune(0)
    const again = history.ack(1, below, root, [epoch])
    await finishPrune(history, { pruned, whole }, { epoch, early: [again] })
    expect(pruned.has(again.id)).toBe(true)
    expect((await pruned.verify({ full: true })).problems).toEqual([])
    await pruned.close()
    expect(await verifyLog(aboutLog(history, directory))).toMatchObject({ outcome: 'sound' })
    await whole.close()
  })

  test('has its indexes made again by a repair, and damage to what is known of the rest is named', async () => {
    const { pruned, whole, history, epoch, directory, options } = await openPair(33)
    await pruned.close()
    for (const table of ['lanes', 'ids', 'range_nodes_odd', 'reach_blocks'])
      changeTable(directory, `DELETE FROM ${table}`)
    const about = aboutLog(history, directory)
    expect((await verifyLog(about)).outcome).toBe('indexes')
    const target = beginReplacement(directory)
    await rebuildLog({ ...about, target, signer: signerOf(9) })
    commitReplacement(directory)
    const { kernel } = await openPruning(history, options)
    await expectSame(kernel, whole, expectedSet(history, epoch))
    expect((await kernel.verify({ full: true })).problems).toEqual([])
    await kernel.close()
    for (const damage of [
      'UPDATE anchors SET generation = generation + 1 WHERE seq = 1',
      'UPDATE base_lanes SET last = last - 1 WHERE lane = 0',
      'UPDATE log_base SET gone_count = gone_count + 1',
      'DELETE FROM intentions WHERE seq = 2',
    ]) {
      changeTable(directory, damage)
      expect((await verifyLog(about)).outcome).toBe('records')
      changeTable(directory, damage.replaceAll('+ 1', '- 1').replaceAll('last - 1', 'last + 1'))
    }
    await whole.close()
  })

  test('is looked through in the background from where it begins, and damage there is told', async () => {
    const { pruned, whole, history, directory, options } = await openPair(35)
    const fromSeq = pruned.base()?.fromSeq ?? 0
    const { headSeq } = pruned.projection()
    await pruned.close()
    const look = async () => {
      const tasks: (() => void)[] = []
      const scheduler = {
        soon: turnScheduler.soon,
        after: (_: number, task: () => void) => (tasks.push(task), () => {}),
      }
      const { kernel } = await openPruning(history, { ...options, scheduler, scrub: { passMs: 1000 } })
      const failed: KernelEvent[] = []
      kernel.onEvent((event) => event.kind === 'failed' && failed.push(event))
      for (let turns = 0; turns < 20; turns += 1) {
        await turn()
        for (const task of tasks.splice(0)) task()
      }
      const { checked = 0 } = kernel.scrubbed() ?? {}
      await kernel.close()
      return { checked, failed: failed.length }
    }
    const sound = await look()
    expect(sound.failed).toBe(0)
    expect(sound.checked).toBeGreaterThanOrEqual(headSeq - fromSeq + 1)
    changeTable(directory, `DELETE FROM ids WHERE seq = ${fromSeq + 2}`)
    expect((await look()).failed).toBe(1)
    await whole.close()
  })

  test('is read around what is damaged, and what was pruned is not lost', async () => {
    const { pruned, whole, history, epoch, directory } = await openPair(34)
    await pruned.close()
    const salvaged: string[] = []
    const found = await salvageLog({
      ...aboutLog(history, directory),
      onBatch: async (batch) => void salvaged.push(...batch.map(({ bytes }) => toHex(bytes).slice(0, 8))),
    })
    expect(found).toMatchObject({ lost: 0, ownEnd: { kind: 'known', tips: [] } })
    expect(found.read).toBe(expectedSet(history, epoch).length)
    await whole.close()
  })
})

async function turn(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await new Promise<void>((resolve) => void setImmediate(resolve))
}
