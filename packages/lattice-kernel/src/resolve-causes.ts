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
import { toEnvelope } from './envelope.ts'
import { WriteRefused } from './errors.ts'
import type { SubmitOptions } from './kernel-types.ts'
import type { LogEntry } from './log-entry.ts'
import { isSilent } from './silent-ops.ts'

/** Own tips that one write joins: a chain that forked more often than this is joined by several. */
export const JOINED_TIPS_MAX = 1024

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
  const tips = core.ownTips.open()
  const storePrev = tips[0]?.parsed.id ?? log.meta().storeId
  const wanted = [...(options.deps?.(core.projection().working) ?? [])]
  // The oldest first: what does not fit is joined by the next write.
  const others = tips
    .slice(1)
    .slice(-JOINED_TIPS_MAX)
    .map(({ parsed }) => parsed.id)
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
  const { authority, dag, options } = core
  const envelope = toEnvelope(op)
  if (envelope === undefined) return []
  const required = authority.requiredDeps(core.projection().working, options.signer.publicKey, envelope)
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
