/**
 * Which epochs stand among some records, and which changes count there.
 *
 * Epochs are decided one after the other, those of senior authors first, so each is judged by decisions that are made. The
 * turn of an epoch is where the grant stands among the records that gave its author the right to it, where it was made:
 * whoever gave that had its turn before, so nobody lends a rank that is higher than its own; and who was removed, and has a
 * right back, has it by what gave it back alone. Grants of ADMIN come before all others. An epoch that took the right away,
 * and had no effect where this one was made, has its turn before it: it may have one where more is known.
 *
 * @module
 */
import {
  ADMIN_LEVEL,
  type ChangeNode,
  type Cut,
  type EpochNode,
  type Grant,
  listOf,
  type MembershipGraph,
  READER_LEVEL,
  type Sought,
  WRITER_LEVEL,
} from './grants-graph.ts'

/** Some records: all, or those in the past of one. With each all in its past. */
export interface Scope {
  readonly graph: MembershipGraph
  readonly has: (at: number) => boolean
  /** Valid ones in the scope, in order of place. */
  readonly epochs: readonly ValidEpoch[]
  /** Whether all peers are ranked, or only those whose epochs need it. */
  readonly rankAll: boolean
}

/** A turn of an epoch: there it stands if the grant counts, and gives enough. */
interface Chance {
  readonly grant: Grant
  readonly turn: number
}

/** An epoch without a fault of its own. */
export interface ValidEpoch extends EpochNode {
  /** By each grant that gave its author the right to it, by all that it had seen. */
  readonly chances: readonly Chance[]
  /** Of these. */
  readonly lastTurn: number
}

export interface Standing {
  /** In the order in which they were decided. */
  readonly standing: readonly EpochNode[]
  /** What is taken from a peer, by epochs in order of place. */
  readonly cutsOf: (peer: number) => readonly Cut[]
  /** True when a change counts. */
  readonly lives: (at: number) => boolean
  /** The level a grant still gives. Says nothing of whether it counts. */
  readonly levelLeft: (grant: Grant) => number
  /** Turn of a peer; undefined for one that has none. */
  readonly rankOf: (peer: number) => number | undefined
  /** True when an epoch of a peer may have its turn before one of another that stands. */
  readonly mayOutrank: (peer: number, epoch: EpochNode) => boolean
  /** True when a peer may have its turn, by a grant that counts or by one that may come to, before epochs of others take what they do. */
  readonly mayPrecedeRemoval: (peer: number) => boolean
}

export function decideStanding(scope: Scope): Standing {
  const { graph, has, rankAll } = scope
  const cuts = new Map<number, Cut[]>()
  const lives = createLiveness(graph, cuts)
  const standing: EpochNode[] = []
  /** Of each peer the first turn by a grant that counts, and how many had theirs before. */
  const ranks = new Map<number, { readonly rank: number; readonly turn: number }>()
  /** Where the turn of each epoch that stands was. */
  const turns = new Map<EpochNode, number>()
  const chances = chancesByTurn(scope.epochs)

  /** By an epoch that is decided already, of another author, and made at the same time. */
  function isCutBySenior({ at, author }: EpochNode, needed: number): boolean {
    const own = cuts.get(author) ?? []
    return own.some(
      ({ epoch, by, level }) =>
        level < needed && by !== author && !graph.pasts.follows(at, epoch) && !graph.pasts.follows(epoch, at),
    )
  }
  function decide(epoch: EpochNode, { grant, turn }: Chance): void {
    const needed = neededLevel(epoch)
    if (turns.has(epoch) || isCutBySenior(epoch, needed)) return
    if (!lives.of(grant.at) || lives.levelAt(epoch.at, grant) < needed) return
    turns.set(epoch, turn)
    standing.push(epoch)
    for (const cut of epoch.cuts) cuts.set(cut.peer, [...(cuts.get(cut.peer) ?? []), cut].toSorted(byPlace))
    if (epoch.cuts.length > 0) lives.forget()
  }
  function rankBy(least: number): void {
    for (const { at, peer, level } of graph.grants) {
      if (level < least || !has(at)) continue
      const turn = turnAt(graph, { at, level: least })
      if (rankAll && !ranks.has(peer) && lives.of(at)) ranks.set(peer, { rank: ranks.size, turn })
      for (const [epoch, chance] of chances.get(turn) ?? []) decide(epoch, chance)
      // A batch has several grants at one place.
      chances.delete(turn)
    }
  }
  // Who never was an ADMIN has no say about others and comes after all who were.
  rankBy(ADMIN_LEVEL)
  rankBy(WRITER_LEVEL)
  if (rankAll) rankBy(READER_LEVEL)

  const cutsOf = (peer: number): readonly Cut[] => cuts.get(peer) ?? []
  return {
    standing,
    cutsOf,
    lives: lives.of,
    levelLeft: ({ at, peer, level }) =>
      cutsOf(peer).reduce(
        (left, cut) => (graph.pasts.follows(at, cut.epoch) ? left : Math.min(left, cut.level)),
        level,
      ),
    rankOf: (peer) => ranks.get(peer)?.rank,
    // A batch may make several peers ADMINs at one place.
    mayOutrank: (peer, epoch) =>
      peer !== epoch.author && (ranks.get(peer)?.turn ?? Infinity) <= (turns.get(epoch) ?? -1),
    mayPrecedeRemoval: (peer) => {
      const earliest = Math.min(...graph.grantsOf(peer).map((grant) => turnAt(graph, grant)))
      return standing.some((epoch) => {
        const { author, cuts: taken } = epoch
        const turn = turns.get(epoch) ?? Infinity
        return taken.some((cut) => cut.peer !== author) && (author === peer ? earliest < turn : earliest <= turn)
      })
    },
  }
}

/** Those of one turn in the order of `epochs`. */
function chancesByTurn(epochs: readonly ValidEpoch[]): Map<number, [ValidEpoch, Chance][]> {
  const byTurn = new Map<number, [ValidEpoch, Chance][]>()
  for (const epoch of epochs) for (const chance of epoch.chances) listOf(byTurn, chance.turn).push([epoch, chance])
  return byTurn
}

/** `before`: all valid ones in its past, and others, each with its own. */
export function withChances(
  graph: MembershipGraph,
  epoch: EpochNode,
  { upholding, before }: { readonly upholding: readonly Grant[]; readonly before: readonly ValidEpoch[] },
): ValidEpoch {
  const { follows } = graph.pasts
  const needed = neededLevel(epoch)
  const isTaken = ({ peer, level }: Cut): boolean => peer === epoch.author && level < needed
  const against = before.filter(({ at, cuts }) => cuts.some(isTaken) && follows(epoch.at, at))
  const chances = upholding.map((grant): Chance => {
    const awaited = against.filter(({ at }) => !follows(grant.at, at))
    return { grant, turn: awaited.reduce((turn, { lastTurn }) => Math.max(turn, lastTurn), turnAt(graph, grant)) }
  })
  const lastTurn = chances.reduce((last, { turn }) => Math.max(last, turn), 0)
  return { ...epoch, chances, lastTurn }
}

/** Turns in order: those who are made an ADMIN, then WRITERs, then READERs, each by the place of the grant. */
function turnAt({ records }: MembershipGraph, { at, level }: Pick<Grant, 'at' | 'level'>): number {
  const round = level >= ADMIN_LEVEL ? 0 : level >= WRITER_LEVEL ? 1 : 2
  return round * records.length + at
}

function byPlace(one: Cut, other: Cut): number {
  return one.epoch - other.epoch
}

/** What the author of an epoch has to be for it to count. */
export function neededLevel({ author, claim: { cause }, cuts }: EpochNode): number {
  switch (cause) {
    case 'membership':
      return cuts.every(({ peer }) => peer === author) ? WRITER_LEVEL : ADMIN_LEVEL
    case 'initial':
    case 'prune':
    case 'key':
      return ADMIN_LEVEL
    case 'joinOfEpochs':
    case 'parent':
    case 'setAside':
      return WRITER_LEVEL
  }
}

interface Liveness {
  readonly of: (at: number) => boolean
  /** The level a grant gives to who has it in its past, by the cuts that are there, too. */
  readonly levelAt: (at: number, grant: Grant) => number
  readonly forget: () => void
}

/** Whether changes count under the cuts there are; each is worked out once until there are more. */
function createLiveness(graph: MembershipGraph, cuts: ReadonlyMap<number, readonly Cut[]>): Liveness {
  const { follows } = graph.pasts
  // Twice the round, and one more where it counts: a new round forgets all at no cost.
  const answers = new Int32Array(graph.records.length)
  let round = 1

  const isKnown = (at: number): boolean => (answers[at] ?? 0) >> 1 === round
  const lives = ({ at }: Grant): boolean => answers[at] === 2 * round + 1
  function levelAt(at: number, grant: Grant): number {
    let left = grant.level
    for (const { epoch, level } of cuts.get(grant.peer) ?? [])
      if (level < left && follows(at, epoch) && !follows(grant.at, epoch)) left = level
    return left
  }
  const holds = (at: number, { least, from }: Sought): boolean =>
    from.some((grant) => lives(grant) && levelAt(at, grant) >= least)

  function workOut({ at, author, supports, needs, bars }: ChangeNode): boolean {
    if (at === 0) return true
    const own = cuts.get(author) ?? []
    // What is neither before a cut nor after a grant that follows it is beyond it.
    const isAdmin = supports.some(
      (grant) => lives(grant) && own.every(({ epoch }) => follows(epoch, at) || follows(grant.at, epoch)),
    )
    return isAdmin && needs.every((sought) => holds(at, sought)) && !bars.some((sought) => holds(at, sought))
  }
  /** Not by recursion: who admits whom may be thousands deep. */
  function of(at: number): boolean {
    const waiting = [at]
    for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
      const node = graph.change(top)
      if (node === undefined || isKnown(top)) {
        waiting.pop()
        continue
      }
      const lacking = node.restsOn.filter((below) => !isKnown(below))
      if (lacking.length > 0) waiting.push(...lacking)
      else {
        answers[top] = 2 * round + (workOut(node) ? 1 : 0)
        waiting.pop()
      }
    }
    return answers[at] === 2 * round + 1
  }
  return { of, levelAt, forget: () => void (round += 1) }
}
