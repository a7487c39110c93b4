/**
 * A session that follows its connection to a better path, or from one that was lost.
 *
 * Streams stay where they began, so a bulk session on the slow path is ended and begun anew on the better one. Nothing of it
 * is lost: what was taken in is durable, and the new one goes on by difference. One that is nearly over is left alone.
 *
 * @module
 */
import { type AbortSignal, type Cancel, createAbortController, LatticeError, type Scheduler } from '@lattice/model'
import { StreamLost } from '@lattice/net-types'
import { pause } from './deadline.ts'

/** A session that is still under way so long after a better path appeared is a bulk session: worth beginning anew. */
export const MOVE_AFTER_MS = 1_000
/** A stream may notice sooner than its connection that a path is gone: by then both have. */
const SETTLE_MS = 50
/**
 * Times one session is begun anew: paths that come and go faster carry nothing in any case.
 * @beyond The session stays on its path to the end.
 */
export const MAX_MOVES = 8

/** Why a session was cut here: it goes on over another path. */
export class SessionMoved extends LatticeError {
  override readonly name = 'SessionMoved'
  readonly code = 'PEER_UNREACHABLE'

  constructor() {
    super('the session goes on over a better path')
  }
}

/** What runs the session, and tells where. */
export interface Carrier<Options, Outcome> {
  readonly run: (options: Options) => Promise<Outcome>
  readonly path: () => string | undefined
  readonly onImproved: (listener: () => void) => Cancel
  readonly scheduler: Scheduler
  /** Aborts when the connection ends. */
  readonly signal: AbortSignal
}

/** How a session ended that may have to go on over another path. */
export type MovableEnd<Outcome> = { readonly kind: 'moved' } | { readonly kind: 'ended'; readonly outcome: Outcome }

/** Runs what `renew` answers, which it is asked for again for each move. Rejects as `link.run` does. */
export async function runMovable<Options extends { readonly signal?: AbortSignal }, Outcome>(
  link: Carrier<Options, Outcome>,
  renew: () => Options,
): Promise<Outcome> {
  for (let moves = 0; moves < MAX_MOVES; moves += 1) {
    const end = await runUntilMoved(link, renew())
    if (end.kind === 'ended') return end.outcome
  }
  return link.run(renew())
}

/** Runs a session until it ends, or had better go on over another path. Rejects as `link.run` does. */
export async function runUntilMoved<Options extends { readonly signal?: AbortSignal }, Outcome>(
  link: Carrier<Options, Outcome>,
  options: Options,
): Promise<MovableEnd<Outcome>> {
  const { scheduler } = link
  const path = link.path()
  const cut = createAbortController()
  let cancelMove: Cancel | undefined
  const ignoreImprovement = link.onImproved(() => {
    cancelMove ??= scheduler.after(MOVE_AFTER_MS, () => cut.abort(new SessionMoved()))
  })
  const leave = follow(options.signal, cut.abort.bind(cut))
  try {
    return { kind: 'ended', outcome: await link.run({ ...options, signal: cut.signal }) }
  } catch (error) {
    if (options.signal?.aborted === true) throw error
    if (error instanceof StreamLost) await pause(scheduler, SETTLE_MS, [link.signal])
    const hasOtherPath = error instanceof StreamLost && link.path() !== path
    if (link.signal.aborted || !(error instanceof SessionMoved || hasOtherPath)) throw error
    return { kind: 'moved' }
  } finally {
    leave()
    cancelMove?.()
    ignoreImprovement()
  }
}

/** Aborts with `signal` too. */
export function follow(signal: AbortSignal | undefined, abort: (reason: unknown) => void): () => void {
  const onAbort = (): void => abort(signal?.reason)
  if (signal?.aborted === true) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return () => signal?.removeEventListener('abort', onAbort)
}
