/**
 * Two replicas of one large store, and what each of them has that the other lacks.
 *
 * @module
 */
import { assert, MAX_RUN_LENGTH } from '@lattice/model'
import { fixtureCopy } from './fixture.ts'
import { createNews } from './replica.ts'
import type { RowContext } from './row.ts'
import { type BenchStore, openStore } from './store.ts'

/** Authors whom the shared history does not have. */
const [LEFT, RIGHT] = [1001, 1002]

export interface Divergence {
  /** Bytes on the wire of what each side is given. */
  readonly bytes: readonly [left: number, right: number]
  /** How long both sides took to take theirs in, one after the other: verified, durable and projected. */
  readonly takingInMs: number
}

export interface ReplicaPair {
  readonly left: BenchStore
  readonly right: BenchStore
  /** Gives each side so many new intentions that the other lacks. */
  readonly diverge: (count: number) => Promise<Divergence>
}

/** Runs work on two copies of the fixture of `shared` intentions, and closes them whatever comes of it. */
export async function withReplicaPair<T>(
  context: RowContext,
  shared: number,
  work: (pair: ReplicaPair) => Promise<T>,
): Promise<T> {
  await using left = await openStore({ ...(await fixtureCopy(context, shared)), open: true, silent: true })
  await using right = await openStore({ ...(await fixtureCopy(context, shared)), open: true, silent: true })
  const [giveLeft, giveRight] = [giver(left, LEFT), giver(right, RIGHT)]
  return await work({
    left,
    right,
    diverge: async (count) => {
      const [toLeft, toRight] = [await giveLeft(count), await giveRight(count)]
      return { bytes: [toLeft.bytes, toRight.bytes], takingInMs: toLeft.takingInMs + toRight.takingInMs }
    },
  })
}

interface Given {
  readonly bytes: number
  readonly takingInMs: number
}

/** Writes of one author for one replica, a run at a time. */
function giver({ kernel }: BenchStore, author: number): (count: number) => Promise<Given> {
  const news = createNews(author)
  return async (count) => {
    let [bytes, takingInMs] = [0, 0]
    for (let left = count; left > 0; left -= MAX_RUN_LENGTH) {
      const batch = news(kernel, Math.min(left, MAX_RUN_LENGTH))
      const startedMs = performance.now()
      const outcomes = await kernel.ingest(batch, undefined)
      takingInMs += performance.now() - startedMs
      assert(
        outcomes.every(({ kind }) => kind === 'witnessed'),
        'what is new is witnessed',
      )
      for (const signed of batch) bytes += signed.bytes.length + signed.signature.length
    }
    return { bytes, takingInMs }
  }
}
