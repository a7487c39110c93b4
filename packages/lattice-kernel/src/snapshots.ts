/**
 * Keeps the state at the newest settled epoch, and makes the state at the epoch that is to be acknowledged.
 *
 * The one that is to be acknowledged is made as soon as its epoch is here; once the epoch is settled it takes the place of
 * the settled one. Which epochs these are follows from the records: nothing is remembered but the files, and each of them
 * says what it is.
 *
 * @module
 */
import { basename } from 'node:path'
import { equalBytes, type Hash, type IntentionId } from '@lattice/model'
import type { StateDatabase } from '@lattice/storage'
import type { Core } from './core.ts'
import { createDivergenceWatch } from './divergence-watch.ts'
import { KernelClosed, SnapshotUnavailable } from './errors.ts'
import { createKeptSnapshots, KEPT_NAMES, type KeptSnapshots } from './kept-snapshots.ts'
import type { ProjectionFactory } from './projection.ts'
import { createSnapshotFiles, type WholeSnapshot } from './snapshot-files.ts'
import { isWithinReach } from './snapshot-reach.ts'
import { createRootWaits } from './snapshot-waits.ts'
import { createSnapshotWorks, type SnapshotWorks, type SnapshotWorksDeps } from './snapshot-works.ts'
import type { SnapshotInfo, SnapshotReads, SnapshotStatus } from './snapshot-types.ts'
import { createWantedSnapshots } from './wanted-snapshots.ts'
import type { Work } from './work-loop.ts'

type Accept = <T>(work: () => Promise<T>) => Promise<T>

export interface Snapshots extends Work {
  /** The store is in use from here on. */
  readonly start: () => void
  /** Ends what is under way; called before the writer ends. */
  readonly stop: () => void
  /** After the writer has ended. */
  readonly close: () => Promise<void>
  /** See `KernelOptions.rootOf`. */
  readonly rootOf: (epoch: IntentionId) => Promise<Hash | undefined>
  /** Of the state that is kept at an epoch; undefined where none is, or is not looked at yet. */
  readonly keptRoot: (epoch: IntentionId) => Hash | undefined
  /** What a kernel tells of them; what has to be made is handed to `accept`. */
  readonly reads: (accept: Accept) => SnapshotReads
  /** Those that are whole, the later one first. */
  readonly whole: () => readonly WholeSnapshot[]
  /** Files that hold one, with their names: what a copy of a pruned store cannot be without. */
  readonly files: () => readonly { readonly name: string; readonly state: StateDatabase }[]
  /** Nodes have come to different states, and no later epoch has ended that. */
  readonly isDiverged: () => boolean
  /** This node's own state at an epoch is likely to be the wrong one. */
  readonly isOutvotedAt: (epoch: IntentionId) => boolean
  /** What is made of the log has less of it to be made of. */
  readonly pruned: () => void
}

export function createSnapshots(core: Core, projectionOver: ProjectionFactory, wake: () => void): Snapshots {
  const { options } = core
  const isOn = options.snapshots === true && options.membership !== undefined
  const files = createSnapshotFiles({
    ...options,
    projectorVersion: options.projector.version,
    ...(options.storageHooks && { hooks: options.storageHooks }),
  })
  const divergence = createDivergenceWatch(core, (epoch) => kept.at(epoch)?.root.hash)
  const kept: KeptSnapshots = createKeptSnapshots({ log: core.log, files, isDiverged: divergence.isAt })
  const wanted = createWantedSnapshots(core)
  const waits = createRootWaits()
  const deps = { core, files, projectionOver, kept, wanted, waits, divergence, wake }
  const works = createSnapshotWorks(deps)
  const parts = { ...deps, works, isOn }
  let stage: 'new' | 'on' | 'over' = 'new'

  return {
    step: () => (isOn && stage === 'on' ? works.step() : undefined),
    start: () => {
      stage = 'on'
      wake()
    },
    stop: () => {
      stage = 'over'
      wanted.close()
      works.stop()
      waits.close(new KernelClosed(options.storeId))
    },
    close: async () => {
      await works.ended()
      kept.close()
    },
    rootOf: async (epoch) => {
      if (!isOn || stage === 'over') return undefined
      const known = kept.at(epoch)?.root.hash
      if (known !== undefined) return known
      // What it looked at before may have been another: it says so at its next look.
      const root = waits.wait(epoch)
      wanted.isNews()
      wake()
      return root
    },
    keptRoot: (epoch) => kept.at(epoch)?.root.hash,
    reads: (accept) => ({
      snapshot: () => statusOf(parts),
      makeSnapshot: async () => accept(async () => make(parts)),
      readSnapshot: (reading) => {
        if (stage === 'over') throw new KernelClosed(options.storeId)
        return kept.read(reading)
      },
    }),
    whole: () => {
      // State of a pruned log is made of nothing else.
      if ((isOn || core.log.base.row() !== undefined) && stage !== 'over') kept.open()
      return kept.all()
    },
    files: () => {
      if (stage !== 'over') kept.open()
      return KEPT_NAMES.flatMap((name) => {
        const snapshot = kept.get(name)
        return snapshot === undefined ? [] : [{ name: basename(files.path(name)), state: snapshot.state }]
      })
    },
    isDiverged: () => divergence.standing().length > 0,
    isOutvotedAt: divergence.isOutvotedAt,
    pruned: works.restart,
  }
}

interface Parts extends SnapshotWorksDeps {
  readonly works: SnapshotWorks
  readonly isOn: boolean
}

const OUT_OF_REACH =
  'the history below the newest settled epoch was cut, and no earlier snapshot is here: wait until a later one is settled, or fetch the store again'

async function make({ core, isOn, wanted, works, kept, waits, wake }: Parts): Promise<SnapshotInfo> {
  if (!isOn) throw new SnapshotUnavailable('this node keeps no state of the store: open it with its type')
  const settled = wanted.settled()
  if (settled === undefined) throw new SnapshotUnavailable('no epoch of the store is settled: see who has not seen it')
  const { id } = settled.record
  works.retry()
  if (kept.at(id) === undefined) {
    kept.open()
    if (!isWithinReach(core.log, kept, settled)) throw new SnapshotUnavailable(OUT_OF_REACH)
    wanted.isNews()
    await waits.made(id, wake)
  }
  const infos = [kept.info('settled'), kept.info('next')]
  const info = infos.find((each) => each !== undefined && equalBytes(each.epoch, id))
  if (info === undefined) throw new SnapshotUnavailable('a later epoch was settled meanwhile: ask again')
  return info
}

function statusOf({ core, isOn, works, divergence, kept }: Parts): SnapshotStatus {
  const making = works.making()
  const divergences = divergence.standing()
  const settled = kept.info('settled')
  const begins = core.log.base.epoch()
  const base = [settled, kept.info('base')].find((info) => info && begins && equalBytes(info.epoch, begins))
  const state = settled === undefined ? (making === undefined ? 'none' : 'making') : 'ready'
  const { base: from, done, total } = making?.progress() ?? { base: undefined, done: 0, total: 0 }
  return {
    state: divergences.length > 0 ? 'diverged' : isOn ? state : 'off',
    settled,
    candidate: kept.info('next'),
    base,
    making: making && { epoch: making.epoch.record.id, from, done, total },
    failure: works.failure(),
    divergences,
  }
}
