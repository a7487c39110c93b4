/**
 * What operations beside an epoch ask about below it, found before the epoch is anybody's base.
 *
 * Who prunes keeps the places of what is asked about, see `prune-asked.ts`; who begins at the epoch with what another hands
 * over needs the same places, whether or not that other has pruned. They are found over the state at the epoch that is kept
 * here: whoever hands over the one hands over the other. Without state there is nothing to find.
 *
 * Found are those of operations that came later as well, each looked at once. Much is done in slices.
 *
 * @module
 */
import { equalBytes, type IdKey, idKey, type IntentionId, toIntentionId } from '@lattice/model'
import type { Core } from './core.ts'
import { downsetOf } from './downset.ts'
import type { BookEpoch } from './epoch-book.ts'
import { COST_PER_STEP } from './jobs.ts'
import { baseAnchors } from './log-base.ts'
import type { ProjectionFactory } from './projection.ts'
import { findAsked } from './prune-asked.ts'
import type { Snapshots } from './snapshots.ts'
import type { Work } from './work-loop.ts'

export interface AskedBeside {
  /** Undefined while it is being found; `isWhole`: found at once, whatever it takes. */
  readonly at: (epoch: BookEpoch, beside: Iterable<number>, isWhole: boolean) => readonly IntentionId[] | undefined
}

export interface AskedBesideWork extends AskedBeside, Work {
  readonly stop: () => void
}

export interface AskedBesideDeps {
  readonly core: Core
  readonly projectionOver: ProjectionFactory
  readonly snapshots: Pick<Snapshots, 'whole'>
  readonly wake: () => void
}

/** Operations applied in one turn, and for how long, however slow a machine is. */
const PER_TURN = 64
const TURN_MS = 3
/** Epochs of which it is kept what was found: peers begin at few different ones. */
const FINDINGS_MAX = 4

interface Finding {
  readonly epoch: BookEpoch
  /** Of what is excluded: what asks after it asks about something else. */
  readonly version: number
  readonly seqs: Set<number>
  readonly found: Map<IdKey, IntentionId>
  work: Generator<void, void, undefined> | undefined
}

export function createAskedBeside({ core, projectionOver, snapshots, wake }: AskedBesideDeps): AskedBesideWork {
  const { log } = core
  const { clock } = core.options
  /** The one asked for last comes last. */
  const findings = new Map<IdKey, Finding>()

  function forget(key: IdKey): void {
    findings.get(key)?.work?.return()
    findings.delete(key)
  }

  function stop(): void {
    for (const key of findings.keys()) forget(key)
  }

  function findingAt(epoch: BookEpoch): Finding {
    const key = idKey(epoch.record.id)
    const version = log.excluded.version()
    let finding = findings.get(key)
    if (finding?.epoch !== epoch || finding.version !== version) {
      forget(key)
      finding = { epoch, version, seqs: new Set(), found: new Map(), work: undefined }
    }
    findings.delete(key)
    findings.set(key, finding)
    for (const oldest of findings.keys()) if (findings.size > FINDINGS_MAX) forget(oldest)
    return finding
  }

  /** Begins with what was not looked at; false where there is none. */
  function begin(of: Finding, beside: Iterable<number>): boolean {
    const news = [...beside].filter((seq) => !of.seqs.has(seq)).sort((a, b) => a - b)
    const snapshot = snapshots.whole().find(({ epoch }) => equalBytes(epoch, of.epoch.record.id))
    if (news.length === 0 || snapshot === undefined) return false
    for (const seq of news) of.seqs.add(seq)
    const asked = { core, projectionOver, snapshot, below: downsetOf(log, of.epoch) }
    of.work = findAsked(asked, news, (id) => void of.found.set(idKey(id), toIntentionId(id.slice())))
    return true
  }

  /** True once nothing is left to do. */
  function advance(of: Finding, isWhole: boolean): boolean {
    const untilMs = clock.monotonicMs() + TURN_MS
    for (let done = 0; of.work !== undefined; done += 1) {
      if (!isWhole && (done >= PER_TURN || clock.monotonicMs() > untilMs)) return false
      if (of.work.next().done === true) of.work = undefined
    }
    return true
  }

  return {
    at: (epoch, beside, isWhole) => {
      const base = log.base.epoch()
      if (base !== undefined && equalBytes(base, epoch.record.id)) return anchorsOf(core)
      const of = findingAt(epoch)
      while (advance(of, isWhole)) if (!begin(of, beside)) return [...of.found.values()]
      wake()
      return undefined
    },
    step: () => {
      const finding = [...findings.values()].find(({ work }) => work !== undefined)
      if (finding === undefined) return undefined
      try {
        advance(finding, false)
      } catch (error) {
        // Whoever asks again begins anew, and is told.
        core.options.logger.warn('what was written beside an epoch could not be looked through', { error })
        stop()
      }
      return COST_PER_STEP
    },
    stop,
    fail: stop,
  }
}

/** What this node found when it pruned is among what it kept. */
function anchorsOf({ log }: Core): readonly IntentionId[] {
  return [...baseAnchors(log.database, log.base.number())].map(({ id }) => toIntentionId(Uint8Array.from(id)))
}
