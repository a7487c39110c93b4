/**
 * Makes the state at an epoch, beside everything that is in use.
 *
 * It begins with a copy of an earlier snapshot, where there is one that what is known at the epoch leaves as it is, and
 * with nothing otherwise; then what else lies below the epoch is applied, in the order in which it was witnessed. A copy
 * leaves the earlier one to its readers and is made off the event loop; it costs what the file is long, once an epoch, and
 * epochs are few. Rows go to disk in slices, each commit with how far it came: a crash costs what was not committed, and
 * a copy that was not whole.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { assert, equalBytes, type IntentionId, toHash } from '@lattice/model'
import { replaceDatabase, type StateDatabase } from '@lattice/storage'
import { isMadeOfKept } from './begun-state.ts'
import type { Core } from './core.ts'
import { differenceOf, type Downset, downsetOf } from './downset.ts'
import { cutsBelow, cutsDigest, fixedCuts } from './epoch-cuts.ts'
import type { BookEpoch } from './epoch-book.ts'
import { ProjectionStalled, SnapshotUnavailable } from './errors.ts'
import type { Cuts } from './excluded-set.ts'
import { giveBack, isRoomy } from './give-back.ts'
import type { LogEntry } from './log-entry.ts'
import type { Projection, ProjectionFactory } from './projection.ts'
import type { SnapshotFiles } from './snapshot-files.ts'
import { partMark, wholeMark } from './snapshot-note.ts'

/** A snapshot to begin with. */
export interface SnapshotBase {
  readonly epoch: IntentionId
  readonly cuts: Uint8Array | undefined
  readonly state: StateDatabase
}

export interface MakingProgress {
  /** What it began with; undefined for nothing. */
  readonly base: IntentionId | undefined
  readonly done: number
  readonly total: number
}

export interface SnapshotMaking {
  readonly epoch: BookEpoch
  /** True once it is whole, on the disk, and closed; a promise where the disk is waited for. Throws what ends it. */
  readonly step: () => boolean | Promise<void>
  readonly progress: () => MakingProgress
  /** Closes what is open; what was made is left to go on with. There is nothing of it to hold then. */
  readonly stop: () => undefined
}

export interface SnapshotMakerDeps {
  readonly core: Core
  readonly files: SnapshotFiles
  readonly projectionOver: ProjectionFactory
}

export interface MakingPlan {
  readonly epoch: BookEpoch
  readonly below: Downset
  readonly cuts: Cuts
  readonly digest: Uint8Array
}

/** How long records are applied in one turn, and how many are read at once. */
const APPLYING_MAX_MS = 3
const RECORDS_PER_READ = 64
/** The same where time stands still. */
const RECORDS_PER_TURN = 256

/** Undefined while something that decides what counts below the epoch is not here. */
export function planSnapshot({ core }: SnapshotMakerDeps, epoch: BookEpoch): MakingPlan | undefined {
  const { membership, crypto } = core.options
  assert(membership !== undefined, 'there are epochs where there is a policy')
  const below = downsetOf(core.log, epoch)
  const cuts = cutsBelow(core.log, membership, below)
  return cuts && { epoch, below, cuts, digest: cutsDigest({ crypto, log: core.log }, cuts, below) }
}

export function makeSnapshot(
  deps: SnapshotMakerDeps,
  plan: MakingPlan,
  bases: readonly SnapshotBase[],
): SnapshotMaking {
  const aborting = new AbortController()
  let work: Filling | undefined
  let failure: { readonly error: unknown } | undefined
  let isCopied = false

  async function copy(base: SnapshotBase): Promise<void> {
    try {
      const path = deps.files.path('copy')
      deps.files.remove('copy')
      await base.state.copyFiles(path, { signal: aborting.signal })
      if (!aborting.signal.aborted) replaceDatabase(deps.files.path('making'), path)
      isCopied = true
    } catch (error) {
      failure = { error }
    }
  }

  function begin(): boolean | Promise<void> {
    const base = isCopied ? undefined : bases.find((each) => mayBegin(deps.core, plan, each))
    const isThere = isCopied || existsSync(deps.files.path('making'))
    const opened = isThere ? resume(deps, plan, isCopied) : undefined
    if (opened !== undefined) {
      work = opened
      return false
    }
    deps.files.remove('making')
    if (base !== undefined) return copy(base)
    if (deps.core.log.base.epoch() !== undefined) throw nothingToBeginWith()
    work = fill(deps, plan, { state: deps.files.open('making').state, known: undefined, lastSeq: 0 })
    return false
  }

  return {
    epoch: plan.epoch,
    step: () => {
      if (failure !== undefined) throw failure.error
      return work === undefined ? begin() : work.step()
    },
    progress: () => work?.progress() ?? { base: undefined, done: 0, total: 0 },
    stop: () => {
      aborting.abort()
      work?.stop()
      return undefined
    },
  }
}

/** True for a snapshot that is part of what is to be made: the same cuts make it, and all of it lies below the epoch. */
function mayBegin({ log, options }: Core, plan: MakingPlan, base: Pick<SnapshotBase, 'epoch' | 'cuts'>): boolean {
  const { crypto, membership } = options
  const epoch = log.book.epochOf(base.epoch)
  if (epoch === undefined || membership === undefined || !log.book.isBefore(epoch.meta, plan.epoch.meta)) return false
  if (!isMadeOfKept(log, epoch)) return false
  const below = downsetOf(log, epoch)
  const madeWith = base.cuts ?? digestAt()
  return madeWith !== undefined && equalBytes(madeWith, cutsDigest({ crypto, log }, plan.cuts, below))

  /** Of one that was loaded: those who signed its root made it by the rules. */
  function digestAt(): Uint8Array | undefined {
    const cuts = membership && cutsBelow(log, membership, below)
    return cuts && cutsDigest({ crypto, log }, cuts, below)
  }
}

/** Goes on with what was being made, or with a whole copy, where that is on the way to this epoch. */
function resume(deps: SnapshotMakerDeps, plan: MakingPlan, isCopy: boolean): Filling | undefined {
  const { state, note } = deps.files.open('making')
  const known = (id: IntentionId | undefined): Downset | undefined => {
    const epoch = id && deps.core.log.book.epochOf(id)
    return epoch && isMadeOfKept(deps.core.log, epoch) ? downsetOf(deps.core.log, epoch) : undefined
  }
  const isFromNothing = deps.core.log.base.epoch() === undefined
  if (note.kind === 'whole' && equalBytes(note.epoch, plan.epoch.record.id)) {
    if (note.cuts !== undefined && equalBytes(note.cuts, plan.digest)) {
      return fill(deps, plan, { state, known: plan.below, lastSeq: 0 })
    }
  } else if (note.kind === 'whole' && (isCopy || mayBegin(deps.core, plan, note))) {
    return fill(deps, plan, { state, known: known(note.epoch), lastSeq: 0 })
  } else if (note.kind === 'part' && equalBytes(note.epoch, plan.epoch.record.id)) {
    const isOnWay =
      equalBytes(note.cuts, plan.digest) && (note.base === undefined ? isFromNothing : known(note.base) !== undefined)
    if (isOnWay) return fill(deps, plan, { state, known: known(note.base), lastSeq: note.lastSeq })
  }
  state.close()
  return undefined
}

interface FillOptions {
  readonly state: StateDatabase
  /** What is in it besides all of it up to a record. */
  readonly known: Downset | undefined
  readonly lastSeq: number
}

interface Filling extends Pick<SnapshotMaking, 'step' | 'progress'> {
  readonly stop: () => void
}

/** Applies what is missing, and brings it to disk. */
function fill(
  { core, projectionOver }: SnapshotMakerDeps,
  plan: MakingPlan,
  { state, known, lastSeq: begunSeq }: FillOptions,
): Filling {
  const { clock } = core.options
  const difference = differenceOf(core.log, { all: plan.below, ...(known && { known }), afterSeq: begunSeq })
  const base = known?.epoch.record.id
  const total = state.cursor().seq + difference.size()
  const hash = toHash(plan.epoch.record.id)
  let lastSeq = begunSeq
  const cuts = fixedCuts(plan.cuts, (count) => {
    if (count === total) return wholeMark(plan.digest)
    return partMark({ epoch: plan.epoch.record.id, cuts: plan.digest, base, lastSeq })
  })
  const made = projectionOver(state, {
    cuts,
    cursorAfter: (_, { seq }) => ({ seq: seq + 1, chainHash: hash }),
    forgetsRejections: true,
  })
  /** Read and not applied, the next one last. */
  let read: LogEntry[] = []
  let isClosed = false
  let isGivingBack = false

  function close(): void {
    if (isClosed) return
    isClosed = true
    made.flush.stop()
    state.close()
  }

  function applyNext(): void {
    const untilMs = clock.monotonicMs() + APPLYING_MAX_MS
    let applied = 0
    do {
      if (read.length === 0) read = difference.next(RECORDS_PER_READ).toReversed()
      const entry = read.pop()
      if (entry === undefined) break
      applyOne(made, entry)
      lastSeq = entry.meta.seq
      applied += 1
    } while (applied < RECORDS_PER_TURN && clock.monotonicMs() <= untilMs)
    made.publish()
  }

  return {
    progress: () => ({ base, done: made.appliedSeq(), total }),
    stop: close,
    step: () => {
      const { flush } = made
      const waiting = flush.waiting()
      if (made.appliedSeq() < total && !flush.isFull()) applyNext()
      else if (waiting !== undefined) return waiting
      else if (flush.isBehind()) flush.request()
      else if (isGivingBack || isRoomy(state)) {
        isGivingBack = giveBack(state)
        return false
      } else {
        close()
        return true
      }
      flush.step()
      const failed = flush.failure()
      if (failed !== undefined) throw failed.error
      return false
    },
  }
}

function applyOne(made: Projection, entry: LogEntry): void {
  try {
    made.apply(entry, 'record')
  } catch (error) {
    throw new ProjectionStalled(entry.meta.seq, entry.parsed.id, error)
  }
}

function nothingToBeginWith(): SnapshotUnavailable {
  return new SnapshotUnavailable('the history is pruned, and no snapshot is here to go on from: fetch the store again')
}
