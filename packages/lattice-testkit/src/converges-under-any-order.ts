/**
 * The law of state machines as a property to run: any two causal orders of the
 * same operations give byte-identical tables, and the same verdict on each.
 *
 * @module
 */
import { idKey, type IntentionId, toHex } from '@lattice/model'
import { createMemoryTable, type MemoryTable } from '@lattice/model/testing'
import type { OpOutcome, Projector, StateMachine } from '@lattice/store-base'
import { create } from '@bufbuild/protobuf'
import { weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { buildDag, DAG_AUTHORS, type DagOp, dagPlans } from './op-dag.ts'

export interface ConvergenceOptions {
  /** Histories tried. */
  readonly runs?: number
  /** Longest history. */
  readonly maxOps?: number
  /** How many authors take part, 1 to 8: the fewer, the more an author's operations rely on each other. */
  readonly authors?: number
}

/** What an operation carries; one that names other operations is made from the ids of all, in one causal order. */
export type DagPayload = Uint8Array | ((ids: readonly IntentionId[]) => Uint8Array)

interface Replica<Content> {
  readonly genesis: (op: DagOp<undefined>) => void
  readonly apply: (op: DagOp<Content>) => OpOutcome<unknown>
  readonly tables: readonly MemoryTable[]
}

/** What one replica ends with: its rows as text, and the verdict on each operation. */
interface Ending {
  readonly rows: readonly string[]
  readonly verdicts: ReadonlyMap<string, string>
}

/**
 * Runs the property on a state machine; `payloads` are what its operations
 * carry, valid or not. Throws fast-check's report with the smallest history
 * found that comes out differently.
 */
export function convergesUnderAnyOrder(
  machine: StateMachine,
  payloads: fc.Arbitrary<DagPayload>,
  options: ConvergenceOptions = {},
): void {
  checkConvergence(payloads, options, (ids) => {
    const table = createMemoryTable()
    return {
      genesis: () => {},
      apply: ({ id, author, timestamp, deps, follows, covers, content }) => {
        const payload = typeof content === 'function' ? content(ids) : content
        const about = { id, author, timestamp, deps, follows, covers }
        return machine.apply(table, { ...about, schema: machine.schemaVersion, payload })
      },
      tables: [table],
    }
  })
}

/** As {@link convergesUnderAnyOrder}, for a projector; `undefined` stands for ops that are no envelope. */
export function projectorConvergesUnderAnyOrder(
  projector: Projector,
  ops: fc.Arbitrary<weaver.UniversalOp | undefined>,
  options: ConvergenceOptions = {},
): void {
  const genesisOp = create(weaver.UniversalOpSchema, { schema: 1, op: { case: 'genesis', value: {} } })
  checkConvergence(ops, options, () => {
    const tables = { system: createMemoryTable(), app: createMemoryTable() }
    return {
      genesis: (op) => void projector.applyGenesis(tables, { ...op, op: genesisOp }),
      apply: (op) => projector.apply(tables, { ...op, op: op.content }),
      tables: [tables.system, tables.app],
    }
  })
}

function checkConvergence<Content>(
  contents: fc.Arbitrary<Content>,
  { runs = 200, maxOps = 24, authors = DAG_AUTHORS.length }: ConvergenceOptions,
  createReplica: (ids: readonly IntentionId[]) => Replica<Content>,
): void {
  fc.assert(
    fc.property(dagPlans(contents, { maxOps, authors }), fc.nat(), fc.nat(), (plan, firstSeed, secondSeed) => {
      const dag = buildDag(plan)
      const ids = dag.ops.map(({ id }) => id)
      const run = (order: readonly DagOp<Content>[]): Ending => ending(createReplica(ids), dag.genesis, order)
      const expected = run(dag.ops)
      for (const seed of [firstSeed, secondSeed]) compare(expected, run(dag.order(seed)))
    }),
    { numRuns: runs, includeErrorInReport: true },
  )
}

function ending<Content>(
  replica: Replica<Content>,
  genesis: DagOp<undefined>,
  order: readonly DagOp<Content>[],
): Ending {
  replica.genesis(genesis)
  const verdicts = new Map<string, string>()
  for (const op of order) {
    const outcome = replica.apply(op)
    verdicts.set(idKey(op.id), outcome.kind === 'rejected' ? outcome.reason : outcome.kind)
  }
  const rows = replica.tables.flatMap((table, index) =>
    table.entries().map(({ key, value }) => `table ${index}: ${toHex(key)} = ${toHex(value)}`),
  )
  return { rows, verdicts }
}

function compare(expected: Ending, actual: Ending): void {
  for (const [id, verdict] of expected.verdicts) {
    const other = actual.verdicts.get(id)
    if (other !== verdict) throw new Error(`in one order an operation is ${verdict}, in another ${other ?? 'missing'}`)
  }
  const lines = Math.max(expected.rows.length, actual.rows.length)
  for (let line = 0; line < lines; line += 1) {
    const [one = 'nothing', other = 'nothing'] = [expected.rows[line], actual.rows[line]]
    if (one !== other) throw new Error(`two orders end differently:\n  ${one}\n  ${other}`)
  }
}
