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
import type { BookEpoch } from './epoch-book.ts'
import { WriteRefused } from './errors.ts'
import type { SubmitOptions } from './kernel-types.ts'
import type { LogTip } from './log-entry.ts'
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
  const { log, ownTips } = core
  const tips = ownTips.open()
  const storePrev = tips[0]?.parsed.id ?? log.meta().storeId
  const named = options.deps?.(core.projection().working) ?? []
  const demanded = requiredDeps(core, op, tips)
  const base = baseFor(core, tips, [...named, ...demanded])
  const asked = keptOf(core, named)
  const needed = [...keptOf(core, demanded), ...base]
  const covering = coveringEpochs(core, tips, [...asked, ...needed])
  const wanted = citable(core, asked, covering)
  const required = citable(core, needed, covering)
  let plan = wanted.length + required.length === 0 ? { ack: [], direct: fallback(core) } : planOf(op, wanted, required)
  // An author's first has in its past what admits it, also where it is the ack.
  if (tips.length === 0 && plan.ack.length > 0) plan = { ...plan, ack: sortDeps([...plan.ack, ...required]) }
  return { storePrev, plan, newest: newestOf(core, plan, tips[0]?.meta.timestamp) }
}

/** What is cited where nothing else is, for a write always cites: the epoch heads, else the genesis. */
function fallback({ log }: Core): readonly IntentionId[] {
  const heads = log.book.heads().slice(0, MAX_CAUSAL_DEPS)
  return heads.length > 0 ? heads : [log.meta().storeId]
}

/** What lies below the base of a pruned log is gone: whoever means something of it follows the base, which stands for it. */
function baseFor({ log, dag }: Core, tips: readonly LogTip[], asked: readonly IntentionId[]): readonly IntentionId[] {
  const epoch = log.base.epoch()
  if (epoch === undefined) return []
  const isBelow = (id: IntentionId): boolean => {
    const place = log.find(id)
    return place === undefined || (place.seq > 1 && log.base.isBelow(place))
  }
  const isCited = asked.some((id) => equalBytes(id, epoch))
  return isCited || !asked.some(isBelow) || tips.some((tip) => dag.followsTip(tip, epoch)) ? [] : [epoch]
}

/** Without what is gone; in a log that was never pruned all of them. */
function keptOf({ log }: Core, ids: readonly IntentionId[]): readonly IntentionId[] {
  return log.base.epoch() === undefined ? ids : ids.filter((id) => log.find(id) !== undefined)
}

/** The epochs that own tips and deps are or have in their past, where a dep may lie below one at all. */
function coveringEpochs(
  { log, cover }: Core,
  tips: readonly LogTip[],
  ids: readonly IntentionId[],
): readonly BookEpoch[] {
  const lastSeq = cover.lastSeq()
  if (lastSeq === 0) return []
  const deps = ids.flatMap((id) => log.find(id) ?? [])
  return deps.some(({ seq }) => seq < lastSeq) ? cover.epochsAt([...tips.map(({ meta }) => meta), ...deps]) : []
}

/** Without what lies below the epochs: they stand for it, and it may be pruned. */
function citable(
  { log, cover }: Core,
  ids: readonly IntentionId[],
  epochs: readonly BookEpoch[],
): readonly IntentionId[] {
  return ids.filter((id) => {
    const place = log.find(id)
    return place === undefined || !cover.isUncitable(place, epochs)
  })
}

function planOf(op: UniversalOp, wanted: readonly IntentionId[], required: readonly IntentionId[]): CitationPlan {
  const [only] = wanted
  if (wanted.length === 1 && required.length === 0 && only !== undefined) return { ack: [], direct: [only] }
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

/** What membership requires and the tips do not follow already, and the tips that the write joins. */
function requiredDeps(core: Core, op: UniversalOp, tips: readonly LogTip[]): readonly IntentionId[] {
  const { dag } = core
  const required = requiredOf(core, op)
  if (required.length === 0 && tips.length <= 1) return required
  // The oldest first: what does not fit is joined by the next write.
  const others = tips
    .slice(1)
    .slice(-JOINED_TIPS_MAX)
    .map(({ parsed }) => parsed.id)
  const missing = required.filter((id) => !tips.some((tip) => equalBytes(tip.parsed.id, id) || dag.followsTip(tip, id)))
  return [...missing, ...others]
}

function requiredOf({ authority, options, projection, requiredOfApp }: Core, op: UniversalOp): readonly IntentionId[] {
  // What the system table said at its last change holds, unless this very group changes it.
  if (op.kind === 'appData' && !projection().touchedSystem()) return requiredOfApp(op)
  const envelope = toEnvelope(op)
  return envelope === undefined ? [] : authority.requiredDeps(projection().working, options.signer.publicKey, envelope)
}

/** The latest timestamp among what is cited and `prev`. Throws `WriteRefused` for what is not witnessed. */
export function newestOf({ log }: Core, { ack, direct }: CitationPlan, prev: Hlc | undefined): Hlc {
  let newest = prev ?? log.find(log.meta().storeId)?.timestamp ?? HLC_ZERO
  for (const deps of [ack, direct]) {
    for (const id of deps) {
      const cause = log.find(id)
      if (cause === undefined) {
        throw new WriteRefused('INVALID_ARGUMENT', `the dep ${toHex(id)} is not in this store`, { dep: toHex(id) })
      }
      if (compareHlc(cause.timestamp, newest) > 0) newest = cause.timestamp
    }
  }
  return newest
}
