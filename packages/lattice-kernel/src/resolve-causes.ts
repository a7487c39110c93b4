/**
 * What an own write cites: its chain, what its caller names, what membership requires.
 *
 * @module
 */
import {
  type Hlc,
  compareHlc,
  equalBytes,
  HLC_ZERO,
  type IntentionId,
  MAX_CAUSAL_DEPS,
  sortDeps,
  toHex,
  type UniversalOp,
} from '@lattice/model'
import { type CitationPlan, MAX_FOLDED_DEPS, planCitations } from '@lattice/store-base'
import type { Core } from './core.ts'
import { WriteRefused } from './errors.ts'
import type { SubmitOptions } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import { isSilent } from './silent-ops.ts'

export interface Causes {
  readonly storePrev: IntentionId
  /** What is cited, and whether an ack has to fold it. */
  readonly plan: CitationPlan
  /** The latest timestamp among all of them. */
  readonly newest: Hlc
}

/** Throws `WriteRefused`, or what `deps` throws. */
export function resolveCauses(core: Core, op: UniversalOp, options: SubmitOptions): Causes {
  const { log } = core
  const tips = ownTips(core)
  const storePrev = tips[0]?.parsed.id ?? log.meta().storeId
  const wanted = [...(options.deps?.(core.projection().working) ?? [])]
  const others = tips.slice(1).map(({ parsed }) => parsed.id)
  const required = [...requiredDeps(core, op, tips), ...others]
  // Never empty: a first write cites the genesis.
  if (wanted.length + required.length === 0) wanted.push(log.meta().storeId)
  const plan = planOf(op, wanted, required)
  return { storePrev, plan, newest: newestOf(core, [storePrev, ...plan.ack, ...plan.direct]) }
}

function planOf(op: UniversalOp, wanted: readonly IntentionId[], required: readonly IntentionId[]): CitationPlan {
  // The kernel's own kinds hold as many by themselves.
  if (isSilent(op.kind)) return { ack: [], direct: [...wanted, ...required] }
  // A chain that forked more often than a write has deps is joined by way of the ack.
  const isCrowded = required.length >= MAX_CAUSAL_DEPS
  const cited = sortDeps(isCrowded ? [...required, ...wanted] : wanted)
  if (cited.length > MAX_FOLDED_DEPS) {
    const message = `the write cites more than ${MAX_FOLDED_DEPS} others: make it several`
    throw new WriteRefused('LIMIT_EXCEEDED', message, { limit: MAX_FOLDED_DEPS, actual: cited.length })
  }
  return planCitations({ wanted: cited, required: isCrowded ? [] : required })
}

/** What membership requires and the tips do not follow already. */
function requiredDeps(core: Core, op: UniversalOp, tips: readonly LogEntry[]): readonly IntentionId[] {
  const { dag, options } = core
  const required = core.requires(options.signer.publicKey, op)
  return required.filter((id) => !tips.some((tip) => equalBytes(tip.parsed.id, id) || dag.follows(tip, id)))
}

function newestOf({ log }: Core, causes: readonly IntentionId[]): Hlc {
  let newest = HLC_ZERO
  for (const id of causes) {
    const cause = log.find(id)
    if (cause === undefined) {
      throw new WriteRefused('INVALID_ARGUMENT', `the dep ${toHex(id)} is not in this store`, { dep: toHex(id) })
    }
    if (compareHlc(cause.timestamp, newest) > 0) newest = cause.timestamp
  }
  return newest
}

/** Own tips, the latest first: several after a fork, which the next write joins. */
function ownTips({ log, options }: Core): readonly LogEntry[] {
  const author = log.authors.find(options.signer.publicKey)
  if (author === undefined) return []
  const tips = [...author.tips].map((seq) => log.entryAt(seq))
  return tips.sort((a, b) => compareHlc(b.meta.timestamp, a.meta.timestamp) || b.meta.seq - a.meta.seq)
}
