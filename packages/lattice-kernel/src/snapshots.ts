/**
 * Keeps the state at the newest settled epoch, and makes the state at the epoch that is to be acknowledged.
 *
 * The one that is to be acknowledged is made as soon as its epoch is here, as a work of the writer in short turns; once
 * the epoch is settled it takes the place of the settled one. Which epochs these are follows from the records: nothing is
 * remembered but the files, and each of them says what it is.
 *
 * @module
 */
import { assert, type Cancel, equalBytes, type Hash, type IntentionId, type OpKind } from '@lattice/model'
import type { Core } from './core.ts'
import type { BookEpoch } from './epoch-book.ts'
import { KernelClosed, SnapshotGone, SnapshotUnavailable } from './errors.ts'
import { COST_PER_STEP } from './jobs.ts'
import type { ProjectionFactory } from './rebuild.ts'
import { createSnapshotFiles, type SnapshotName, type WholeSnapshot } from './snapshot-files.ts'
import { makeSnapshot, planSnapshot, type SnapshotMaking } from './snapshot-maker.ts'
import type { ReadSnapshotOptions, SnapshotInfo, SnapshotPage, SnapshotStatus } from './snapshot-types.ts'
import { createRootWaits } from './snapshot-waits.ts'
import { createDivergenceWatch } from './divergence-watch.ts'
import type { Work } from './work-loop.ts'

export interface Snapshots extends Work {
  /** The store is in use from here on. */
  readonly start: () => void
  /** Ends what is under way; called before the writer ends. */
  readonly stop: () => void
  /** After the writer has ended. */
  readonly close: () => Promise<void>
  /** See `KernelOptions.rootOf`. */
  readonly rootOf: (epoch: IntentionId) => Promise<Hash | undefined>
  readonly status: () => SnapshotStatus
  readonly make: () => Promise<SnapshotInfo>
  readonly read: (options: ReadSnapshotOptions) => SnapshotPage
  /** Those that are whole, for whoever looks through them. */
  readonly whole: () => readonly WholeSnapshot[]
}

/** How long after a failure it is tried again: about as long as a person takes to make room. */
const RETRY_MS = 5000
/** Records between two notices of progress. */
const RECORDS_PER_NOTICE = 4096

/** What changes which epochs count, or who acknowledged them. */
const DECIDING: ReadonlySet<OpKind> = new Set<OpKind>(['genesis', 'system', 'epoch', 'epochAck'])

type Kept = Extract<SnapshotName, 'settled' | 'next'>

interface Wanted {
  readonly settled: BookEpoch | undefined
  readonly head: BookEpoch | undefined
}

export function createSnapshots(core: Core, projectionOver: ProjectionFactory, wake: () => void): Snapshots {
  const { log, options, settlement, events } = core
  const isOn = options.snapshots === true && options.membership !== undefined
  const files = createSnapshotFiles({
    ...options,
    projectorVersion: options.projector.version,
    ...(options.storageHooks && { hooks: options.storageHooks }),
  })
  const deps = { core, files, projectionOver }
  const kept = new Map<Kept, WholeSnapshot>()
  const waits = createRootWaits()
  const divergence = createDivergenceWatch(core, (epoch) => snapshotAt(epoch)?.root.hash)
  let stage: 'new' | 'on' | 'over' = 'new'
  let isOpened = false
  let making: SnapshotMaking | undefined
  let blocked: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  let cancelRetry: Cancel | undefined
  let noticedAt = 0
  /** Something came that may call for another. */
  let isNews = true
  let lookedVersion = -1
  const cancels = isOn ? watch() : []

  function watch(): readonly Cancel[] {
    return [
      core.witnessed.add(({ intentions }) => {
        if (intentions.some(({ op }) => DECIDING.has(op.kind))) isNews = true
      }),
      events.add(({ kind }) => {
        if (kind === 'epoch_settled') isNews = true
      }),
    ]
  }

  function snapshotAt(epoch: IntentionId): WholeSnapshot | undefined {
    return [...kept.values()].find((snapshot) => equalBytes(snapshot.epoch, epoch))
  }

  function openKept(): void {
    files.remove('copy')
    for (const name of ['settled', 'next'] as const) {
      const snapshot = files.openWhole(name)
      if (snapshot === undefined) continue
      if (log.book.epochOf(snapshot.epoch) !== undefined) kept.set(name, snapshot)
      else {
        snapshot.state.close()
        files.remove(name)
      }
    }
    isOpened = true
  }

  function wanted(): Wanted {
    const heads = log.book.heads()
    const [head] = heads
    return {
      settled: settlement.newestSettled(),
      head: head === undefined || heads.length > 1 ? undefined : log.book.epochOf(head),
    }
  }

  /** The epoch whose state is to be made next. */
  function missing(): BookEpoch | undefined {
    const { settled, head } = wanted()
    return [settled, head].find((epoch) => epoch !== undefined && snapshotAt(epoch.record.id) === undefined)
  }

  /** The later of the two takes the place of the settled one once its epoch is settled. */
  function settle(): void {
    const settled = settlement.newestSettled()
    const next = kept.get('next')
    if (settled === undefined || next === undefined || !equalBytes(next.epoch, settled.record.id)) return
    closeKept('next')
    const snapshot = put('settled', 'next')
    events.notify({ kind: 'snapshot_settled', epoch: snapshot.epoch, root: snapshot.root.hash })
  }

  /** Puts a closed one in the place of another, and opens it there. */
  function put(name: Kept, from: SnapshotName): WholeSnapshot {
    const before = kept.get(name)
    const isAside = before !== undefined && divergence.isAt(before.epoch)
    closeKept(name)
    if (isAside) files.putAside(name, before.epoch)
    files.replace(name, from)
    const snapshot = files.openWhole(name)
    assert(snapshot !== undefined, 'what was made is whole')
    kept.set(name, snapshot)
    return snapshot
  }

  function closeKept(name: Kept): void {
    const snapshot = kept.get(name)
    kept.delete(name)
    snapshot?.state.close()
  }

  /** What was made is whole: it is a candidate until its epoch is settled. */
  function keep(made: BookEpoch): void {
    const isSettled = settlement.newestSettled() === made
    const snapshot = put(isSettled ? 'settled' : 'next', 'making')
    const { hash: root } = snapshot.root
    events.notify({ kind: 'snapshot_made', epoch: snapshot.epoch, root })
    if (isSettled) events.notify({ kind: 'snapshot_settled', epoch: snapshot.epoch, root })
  }

  function begin(epoch: BookEpoch): SnapshotMaking | undefined {
    const plan = planSnapshot(deps, epoch)
    const bases = (['next', 'settled'] as const).flatMap((name) => kept.get(name) ?? [])
    noticedAt = 0
    return (
      plan &&
      makeSnapshot(
        deps,
        plan,
        bases.filter((base) => !divergence.isOutvotedAt(base.epoch)),
      )
    )
  }

  /** Looks at what changed; true when there is something to make. */
  function look(): boolean {
    const version = log.book.version()
    if (!isNews && version === lookedVersion) return making !== undefined
    if (!isOpened) openKept()
    settle()
    const target = missing()
    if (making !== undefined && (target === undefined || !equalBytes(target.record.id, making.epoch.record.id))) {
      making.stop()
      making = undefined
    }
    if (target !== undefined) making ??= begin(target)
    for (const { epoch, root } of kept.values()) waits.known(epoch, root.hash)
    const { head, settled } = wanted()
    waits.keepOnly({ ...(head && { root: head.record.id }), ...(settled && { made: settled.record.id }) })
    divergence.look()
    lookedVersion = version
    isNews = false
    return making !== undefined
  }

  function advance(current: SnapshotMaking): void {
    const answer = current.step()
    if (answer instanceof Promise) {
      blocked = answer.finally(() => {
        blocked = undefined
        wake()
      })
      return
    }
    failure = undefined
    tellProgress(current)
    if (!answer) return
    making = undefined
    keep(current.epoch)
    isNews = true
  }

  function tellProgress({ epoch, progress }: SnapshotMaking): void {
    const { base, done, total } = progress()
    if (done === noticedAt || (done < total && done - noticedAt < RECORDS_PER_NOTICE)) return
    noticedAt = done
    events.notify({ kind: 'snapshot_progress', epoch: epoch.record.id, from: base, done, total })
  }

  /** Made again from the disk, later: what failed may be the disk, or the machine. */
  function fail(error: unknown): void {
    options.logger.warn('a snapshot could not be made: tried again later', { error })
    failure = { error }
    making?.stop()
    making = undefined
    isNews = true
    waits.failed(error)
    cancelRetry = options.scheduler.after(RETRY_MS, () => {
      cancelRetry = undefined
      wake()
    })
  }

  function infoOf(name: Kept): SnapshotInfo | undefined {
    const snapshot = kept.get(name)
    const epoch = snapshot && log.book.epochOf(snapshot.epoch)
    if (snapshot === undefined || epoch === undefined) return undefined
    const { hash: root, rows } = snapshot.root
    return { epoch: snapshot.epoch, seq: epoch.record.op.value.seq, root, rows, bytes: files.bytes(name) }
  }

  const self: Snapshots = {
    step: () => {
      if (!isOn || stage !== 'on' || blocked !== undefined || cancelRetry !== undefined) return undefined
      try {
        if (!look() || making === undefined) return undefined
        advance(making)
      } catch (error) {
        fail(error)
      }
      return COST_PER_STEP
    },
    start: () => {
      stage = 'on'
      wake()
    },
    stop: () => {
      stage = 'over'
      for (const cancel of cancels) cancel()
      cancelRetry?.()
      making?.stop()
      waits.close(new KernelClosed(options.storeId))
    },
    close: async () => {
      await blocked
      for (const name of ['settled', 'next'] as const) closeKept(name)
    },
    rootOf: async (epoch) => {
      if (!isOn || stage === 'over') return undefined
      return snapshotAt(epoch)?.root.hash ?? waits.wait(epoch)
    },
    status: () => {
      const { base: from, done, total } = making?.progress() ?? { base: undefined, done: 0, total: 0 }
      const divergences = divergence.standing()
      const settled = infoOf('settled')
      const state = settled === undefined ? (making === undefined ? 'none' : 'making') : 'ready'
      return {
        state: divergences.length > 0 ? 'diverged' : isOn ? state : 'off',
        settled,
        candidate: infoOf('next'),
        making: making && { epoch: making.epoch.record.id, from, done, total },
        failure: failure?.error,
        divergences,
      }
    },
    make: async () => {
      if (!isOn) throw new SnapshotUnavailable('this node keeps no state of the store: open it with its type')
      const settled = settlement.newestSettled()
      if (settled === undefined)
        throw new SnapshotUnavailable('no epoch of the store is settled: see who has not seen it')
      const { id } = settled.record
      cancelRetry?.()
      cancelRetry = undefined
      if (snapshotAt(id) === undefined) await waits.made(id, wake)
      const info = (['settled', 'next'] as const).map(infoOf).find((each) => each && equalBytes(each.epoch, id))
      if (info === undefined) throw new SnapshotUnavailable('a later epoch was settled meanwhile: ask again')
      return info
    },
    read: ({ epoch, after, maxBytes }) => {
      const snapshot = kept.get('settled')
      if (snapshot === undefined) {
        if (epoch !== undefined) throw new SnapshotGone(epoch)
        throw new SnapshotUnavailable('there is no snapshot of the store: wait until an epoch is settled')
      }
      if (epoch !== undefined && !equalBytes(epoch, snapshot.epoch)) throw new SnapshotGone(epoch)
      return { ...snapshot.state.readRows(after, maxBytes), epoch: snapshot.epoch, root: snapshot.root.hash }
    },
    whole: () => {
      if (isOn && !isOpened) openKept()
      return [...kept.values()]
    },
  }
  return self
}
