/**
 * Random histories in which admins admit, remove, demote and invite again, at the same time; and, slowly, what of them is
 * to be witnessed and applied.
 *
 * @module
 */
import {
  causesOf,
  compareHlc,
  encodeUniversalOp,
  equalBytes,
  type Hlc,
  idKey,
  type IntentionId,
  type KnownOp,
  NO_HINTS,
  type ParsedIntention,
  type PublicKey,
  signIntention,
  sortDeps,
  toPublicKey,
} from '@lattice/model'
import { createSeededRandom } from '@lattice/model/testing'
import type { MembershipRecord, MembershipView } from '@lattice/store-base'
import { at, crypto, genesisOf, signerOf } from './harness.ts'
import { admitOp, isModelRecord, removeOp, resolveModel } from './membership-model.ts'
import { appOp } from './tracking-projector.ts'

export interface CutoffDag {
  readonly genesis: ParsedIntention
  /** In a causal order. */
  readonly intentions: readonly ParsedIntention[]
}

interface Made {
  readonly parsed: ParsedIntention
  readonly timestamp: Hlc
  readonly past: ReadonlySet<string>
}

export interface CutoffDagOptions {
  readonly seed: number
  readonly authors: number
  readonly runs: number
  /** Time goes on between writes, or stands still. */
  readonly timePasses?: boolean
  /** Epochs name all but the last author to acknowledge them, instead of nobody. */
  readonly isWaited?: boolean
}

const REMAINS = ['none', 'none', 'reader', 'writer'] as const
const ROLES = ['admin', 'admin', 'writer'] as const

export function createCutoffDag({
  seed,
  authors,
  runs,
  timePasses = false,
  isWaited = false,
}: CutoffDagOptions): CutoffDag {
  const random = createSeededRandom(seed)
  const genesis = genesisOf(signerOf(1))
  const first: Made = { parsed: genesis, timestamp: at(0), past: new Set() }
  const made: Made[] = [first]
  const ends = new Map<number, Made>([[0, first]])
  let epochs = 0n
  const pick = <T>(items: readonly T[]): T | undefined =>
    items.length === 0 ? undefined : items[random.below(items.length)]
  const key = (author: number): PublicKey => signerOf(author + 1).publicKey
  const admissions = (author: number): readonly Made[] =>
    made.filter(({ parsed: { op } }) => {
      if (op.kind !== 'system' || op.value.op.case !== 'peer') return false
      return equalBytes(op.value.op.value.peer, key(author))
    })

  function opOf(author: number): KnownOp {
    const other = key(random.below(authors))
    const dice = random.below(12)
    if (dice < 2) return admitOp(other, pick(ROLES) ?? 'writer')
    if (dice < 4 && !equalBytes(other, key(author))) {
      const numbers = Array.from({ length: isWaited ? authors - 1 : 0 }, (_, number) => number)
      const requiredAcks = numbers.filter((number) => number !== author).map(key)
      return removeOp([{ peer: other, remains: pick(REMAINS) ?? 'none' }], { seq: (epochs += 1n), requiredAcks })
    }
    return appOp(`${pick(['set', 'set', 'count']) ?? 'set'} k${random.below(4)} v${random.below(100)}`)
  }

  function makeRun(author: number): void {
    const before = ends.get(author)
    const admission = pick(admissions(author))
    if (before === undefined && admission === undefined) return
    let prev = before ?? first
    const run: Made[] = []
    const length = 1 + random.below(3)
    for (let index = 0; index < length; index += 1) {
      const seen = before === undefined && index === 0 && admission !== undefined ? [admission] : []
      for (let count = random.below(3); count > 0; count -= 1) seen.push(pick(made) ?? first)
      // What is invited again says so, mostly.
      if (admission !== undefined && random.below(2) === 0) seen.push(admission)
      const op = opOf(author)
      const close = index === length - 1 || op.kind === 'epoch'
      const next = append(author, prev, { seen, op, close })
      run.push(next)
      prev = next
      if (close) break
    }
    ends.set(author, prev)
    made.push(...run)
  }

  function append(
    author: number,
    prev: Made,
    { seen, op, close }: { readonly seen: readonly Made[]; readonly op: KnownOp; readonly close: boolean },
  ): Made {
    // What lies below an epoch of the chain's past is not cited.
    const epochs = made.filter(({ parsed: { op, id } }) => op.kind === 'epoch' && prev.past.has(idKey(id)))
    if (prev.parsed.op.kind === 'epoch') epochs.push(prev)
    const cited = seen.filter(({ parsed: { id } }) => !epochs.some(({ past }) => past.has(idKey(id))))
    let newest = prev.timestamp
    for (const { timestamp } of cited) if (compareHlc(timestamp, newest) > 0) newest = timestamp
    const timestamp: Hlc = {
      wall: newest.wall + (timePasses ? random.below(3) : 0),
      counter: newest.counter + 1 + random.below(3),
    }
    const causes = [prev, ...cited]
    const parsed = signIntention(crypto, signerOf(author + 1), {
      intention: {
        author: key(author),
        timestamp,
        storePrev: prev.parsed.id,
        causalDeps: sortDeps(causes.map(({ parsed: { id } }) => id)),
        hints: NO_HINTS,
        ops: encodeUniversalOp(op),
      },
      close,
    })
    const past = new Set(causes.flatMap((cause) => [...cause.past, idKey(cause.parsed.id)]))
    return { parsed, timestamp, past }
  }

  for (let author = 1; author < Math.min(authors, 3); author += 1) {
    const grant = append(0, ends.get(0) ?? first, { seen: [], op: admitOp(key(author), 'admin'), close: true })
    made.push(grant)
    ends.set(0, grant)
  }
  for (let count = 0; count < runs; count += 1) makeRun(random.below(authors))
  return { genesis, intentions: made.map(({ parsed }) => parsed) }
}

export interface ExpectedCutoffs {
  /** The set that is reconciled. */
  readonly witnessed: ReadonlySet<string>
  /** Of it, what is beyond a cutoff of all. */
  readonly links: ReadonlySet<string>
  /** What the projector is given. */
  readonly applied: ReadonlySet<string>
}

interface Run {
  readonly closer: ParsedIntention
  readonly members: readonly ParsedIntention[]
  readonly causes: Set<Run>
}

/** What the rules make of a history, whatever order it comes in. */
export function expectCutoffs(intentions: readonly ParsedIntention[]): ExpectedCutoffs {
  // What is witnessed says who may write, and that what is witnessed next.
  const known = new Set<string>()
  for (;;) {
    const { size } = known
    const expected = expectFrom(readFacts(intentions, known), known)
    for (const key of expected.witnessed) known.add(key)
    if (known.size === size) return expected
  }
}

function expectFrom(facts: Facts, known: ReadonlySet<string>): ExpectedCutoffs {
  const { view, isBeyond, runs } = facts
  const isHeld = ({ members }: Run): boolean =>
    members.some(
      ({ id, intention, op }) =>
        isBeyond({ id, intention }, 'all') &&
        view.faultOf(id) !== 'not_entitled' &&
        (view.hasSay(intention.author, op) || (op.kind === 'epoch' && facts.hasVoidInPast({ id, intention }))),
    )
  const isCounting = ({ members }: Run): boolean => members.some((member) => !isBeyond(member, 'all'))
  const closure = (run: Run): ReadonlySet<Run> => {
    const all = new Set([run])
    for (const one of all) for (const cause of one.causes) all.add(cause)
    return all
  }
  const admitted = new Set([idKey(facts.genesis.intention.author)])
  const kept = new Set<Run>()
  for (let size = -1; size !== kept.size;) {
    size = kept.size
    for (const run of runs) {
      if (kept.has(run) || !(isCounting(run) || isHeld(run))) continue
      // Admission is asked for once: what is witnessed as a link may come to count without.
      const isIn = known.has(idKey(run.closer.id)) || admitted.has(idKey(run.closer.intention.author))
      if (isCounting(run) && !isIn) continue
      const others = [...closure(run)].filter((other) => other !== run && isCounting(other))
      if (!others.every((other) => kept.has(other))) continue
      kept.add(run)
      for (const member of run.members) if (facts.isAdmitting(member)) admitted.add(idKey(facts.admittedBy(member)))
    }
  }
  const witnessed = new Set<string>()
  const links = new Set<string>()
  const applied = new Set<string>()
  for (const run of new Set([...kept].flatMap((one) => [...closure(one)]))) {
    for (const member of run.members) {
      const key = idKey(member.id)
      witnessed.add(key)
      const isLink = isBeyond(member, 'all')
      if (isLink) links.add(key)
      if (member.op.kind === 'epoch' ? view.faultOf(member.id) === undefined : !isLink) applied.add(key)
    }
  }
  return { witnessed, links, applied }
}

export interface Facts {
  readonly genesis: ParsedIntention
  readonly view: MembershipView
  readonly runs: readonly Run[]
  readonly isBeyond: (parsed: Pick<ParsedIntention, 'id' | 'intention'>, kind: 'all' | 'privileged') => boolean
  readonly isAdmitting: (parsed: ParsedIntention) => boolean
  readonly admittedBy: (parsed: ParsedIntention) => PublicKey
  /** Of somebody else's. */
  readonly hasVoidInPast: (parsed: Pick<ParsedIntention, 'id' | 'intention'>) => boolean
}

export function readFacts(intentions: readonly ParsedIntention[], known: ReadonlySet<string>): Facts {
  const [genesis] = intentions
  if (genesis === undefined) throw new Error('a history begins with its genesis')
  const pasts = new Map<string, Set<string>>()
  const generations = new Map<string, number>()
  const byKey = new Map(intentions.map((parsed) => [idKey(parsed.id), parsed] as const))
  for (const parsed of intentions) {
    const causes = parsed === genesis ? [] : causesOf(parsed.intention).map(idKey)
    pasts.set(idKey(parsed.id), new Set(causes.flatMap((cause) => [...(pasts.get(cause) ?? []), cause])))
    generations.set(idKey(parsed.id), Math.max(-1, ...causes.map((cause) => generations.get(cause) ?? 0)) + 1)
  }
  const follows = (id: IntentionId, ancestor: IntentionId): boolean =>
    pasts.get(idKey(id))?.has(idKey(ancestor)) === true
  const records = intentions
    .filter(({ op, id }) => isModelRecord(op) && (op.kind === 'genesis' || known.has(idKey(id))))
    .map(({ id, op, intention }): MembershipRecord => {
      const generation = generations.get(idKey(id)) ?? 0
      return { id, op, author: intention.author, timestamp: intention.timestamp, generation }
    })
    .sort((a, b) => a.generation - b.generation || Buffer.compare(a.id, b.id))
  const view = resolveModel({ records, follows })

  function isBeyond({ id, intention }: Pick<ParsedIntention, 'id' | 'intention'>, kind: 'all' | 'privileged'): boolean {
    if (id === genesis?.id) return false
    if (!view.isHeard(intention.author)) return kind === 'all'
    return view.cutoffsOf(intention.author).some(({ epoch, remains, readmissions }) => {
      if ((remains === 'writer') !== (kind === 'privileged')) return false
      if (equalBytes(epoch, id) || follows(epoch, id)) return false
      return !readmissions.some((grant) => follows(id, grant))
    })
  }
  const peerOf = ({ op }: ParsedIntention): Uint8Array | undefined =>
    op.kind === 'system' && op.value.op.case === 'peer' ? op.value.op.value.peer : undefined
  return {
    genesis,
    view,
    isBeyond,
    runs: runsOf(intentions, byKey),
    isAdmitting: (parsed) =>
      peerOf(parsed) !== undefined && !isBeyond(parsed, 'all') && !isBeyond(parsed, 'privileged'),
    admittedBy: (parsed) => toPublicKey(peerOf(parsed) ?? parsed.intention.author),
    hasVoidInPast: ({ id, intention }) =>
      records.some(
        (other) =>
          view.faultOf(other.id) === 'outranked' &&
          !equalBytes(other.author, intention.author) &&
          follows(id, other.id),
      ),
  }
}

function runsOf(intentions: readonly ParsedIntention[], byKey: ReadonlyMap<string, ParsedIntention>): readonly Run[] {
  const runs = new Map<string, Run>()
  const all: Run[] = []
  for (const closer of intentions) {
    if (closer.signature.length === 0) continue
    const members = [closer]
    for (let older = byKey.get(idKey(closer.intention.storePrev)); older?.signature.length === 0;) {
      members.unshift(older)
      older = byKey.get(idKey(older.intention.storePrev))
    }
    const run: Run = { closer, members, causes: new Set() }
    for (const member of members) runs.set(idKey(member.id), run)
    all.push(run)
  }
  for (const run of all) {
    for (const member of run.members) {
      for (const cause of causesOf(member.intention)) {
        const other = runs.get(idKey(cause))
        if (other !== undefined) run.causes.add(other)
      }
    }
  }
  return all
}
