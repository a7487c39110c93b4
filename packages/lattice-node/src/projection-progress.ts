/**
 * Tells how far state has been built, where that takes long: a few times, and once when it is through.
 *
 * What is applied as it arrives is never far behind, and is not worth telling.
 *
 * @module
 */

export interface ProjectionProgress {
  readonly report: (done: number, total: number) => void
}

/** Records that have to wait for it to be told at all: a fraction of a second. */
const WORTH_TELLING = 4096
/** Told once per so much of the whole. */
const SHARE = 0.05

export function createProjectionProgress(tell: (done: number, total: number) => void): ProjectionProgress {
  let toldAt: number | undefined

  return {
    report: (done, total) => {
      if (toldAt === undefined && total - done < WORTH_TELLING) return
      const isThrough = done >= total
      if (toldAt !== undefined && !isThrough && done >= toldAt && done - toldAt < total * SHARE) return
      toldAt = isThrough ? undefined : done
      tell(done, total)
    },
  }
}
