/**
 * Own writes that were put aside when a store began anew: shown, submitted again, or let go.
 *
 * @module
 */
import { type StrandedWrite, WriteRefused } from '@lattice/kernel'
import { type IntentionId, type LatticeErrorCode, type PublicKey, toHex } from '@lattice/model'
import { invalidArgument, NodeError } from '../errors.ts'
import { toFailure } from '../failure.ts'
import type { NodeContext } from '../node-context.ts'
import type { OpenStore } from '../open-store.ts'
import type { KeptWrite, ResubmitResult, SettledWrite, StrandedActs } from './history-types.ts'
import { takeAgain } from './lost-removals.ts'
import { strandedRemedy } from './stranded-remedy.ts'

/** Fewest digits that are taken for the beginning of an id. */
const MIN_ID_DIGITS = 4
/** Writes named at once: naming costs a look at all that is put aside each. */
const STRANDED_NAMED_MAX = 1_000

type StrandedKernel = Pick<OpenStore['kernel'], 'has' | 'tables' | 'submit' | 'submitEpoch'>
type StrandedStore = Pick<OpenStore, 'exclusive' | 'stranded'> & { readonly kernel: StrandedKernel }

export interface StrandedActsDeps {
  readonly context: Pick<NodeContext, 'id'>
  /** Throws what keeps the store from being used. */
  readonly store: () => StrandedStore
}

export function createStrandedActs({ context: { id: self }, store }: StrandedActsDeps): StrandedActs {
  return {
    stranded: () =>
      store()
        .stranded.all()
        .map((write) => ({ ...write, remedy: strandedRemedy(write, self) })),
    resubmitStranded: async (named = []) => {
      const opened = store()
      return opened.exclusive.run(() => resubmit(opened, choose(opened.stranded.all(), named), self))
    },
    dropStranded: async (named = []) => {
      const { exclusive, stranded } = store()
      return exclusive.run(async () => {
        const chosen = choose(stranded.all(), named)
        stranded.drop(chosen.map(({ id }) => id))
        return chosen.length
      })
    },
  }
}

/** In the order of all; all where none is named. Throws `INTENTION_NOT_FOUND` or `INVALID_ARGUMENT`. */
function choose(all: readonly StrandedWrite[], named: readonly string[]): readonly StrandedWrite[] {
  if (named.length > STRANDED_NAMED_MAX)
    throw invalidArgument(`name ${STRANDED_NAMED_MAX} writes at most, or none for all`)
  if (named.length === 0) return all
  const chosen = new Set(named.map((prefix) => findOne(all, prefix)))
  return all.filter((write) => chosen.has(write))
}

function findOne(all: readonly StrandedWrite[], prefix: string): StrandedWrite {
  const digits = prefix.trim().toLowerCase()
  if (!/^[\da-f]+$/u.test(digits) || digits.length < MIN_ID_DIGITS) {
    throw invalidArgument(`a write is named by ${MIN_ID_DIGITS} or more hex digits of its id: list what is stranded`)
  }
  const [found, other] = all.filter(({ id }) => toHex(id).startsWith(digits))
  if (found === undefined) {
    throw new NodeError('INTENTION_NOT_FOUND', `nothing that is stranded is named ${digits}: list what is`)
  }
  if (other !== undefined) throw invalidArgument(`several stranded writes begin with ${digits}: name more digits`)
  return found
}

/**
 * One that is written is taken off before the next is: asked for again it goes on after it. A crash between the two leaves it
 * listed, so this one may be written twice.
 */
async function resubmit(
  { kernel, stranded }: StrandedStore,
  writes: readonly StrandedWrite[],
  self: PublicKey,
): Promise<ResubmitResult> {
  const settled: SettledWrite[] = []
  const kept: KeptWrite[] = []
  for (const write of writes) {
    const { id: lost } = write
    const remedy = strandedRemedy(write, self)
    if (remedy !== undefined) {
      kept.push({ id: lost, reason: remedy })
      continue
    }
    // A peer may have brought it meanwhile.
    if (kernel.has(lost)) continue
    try {
      settled.push({ lost, id: await writeAnew(kernel, write, self) })
      stranded.settled(lost)
    } catch (error) {
      if (!isOfThisWrite(error)) return { settled, kept, failure: toFailure(error) }
      kept.push({ id: lost, reason: error.message })
    }
  }
  return { settled, kept, failure: undefined }
}

/** On top of all that is here now. Rights that its first writing needed are asked for anew. */
async function writeAnew(
  kernel: StrandedKernel,
  write: StrandedWrite,
  self: PublicKey,
): Promise<IntentionId | undefined> {
  const { op } = write
  const taken = await takeAgain(kernel, write, self)
  if (taken !== undefined) return taken.epoch
  if (op.kind !== 'appData') throw new NodeError('NOT_SUPPORTED', `a write of kind ${op.kind} is not repeated`)
  return kernel.submit(op)
}

/** Refusals that any other write would meet as well. */
const OF_ALL_WRITES: ReadonlySet<LatticeErrorCode> = new Set([
  'NOT_ADMITTED',
  'REVOKED',
  'CLOCK_SKEW',
  'STORE_NOT_READY',
])

function isOfThisWrite(error: unknown): error is WriteRefused {
  return error instanceof WriteRefused && !OF_ALL_WRITES.has(error.code)
}
