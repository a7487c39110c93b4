/**
 * Completion as readline calls it: it may never fail, and never make a person
 * wait for a node that does not answer.
 *
 * @module
 */
import type { AsyncCompleter } from 'node:readline'
import { isLatticeError } from '@lattice/model'
import { complete, type Completion, type SelectedStore } from './complete.ts'
import type { ReplState } from './repl-state.ts'
import { replProgram } from './run-line.ts'

/** What a person takes for at once, nearly. */
const COMPLETION_DEADLINE_MS = 1000

export interface Completer {
  readonly complete: AsyncCompleter
  /** Completion begins with the state; before it there is nothing to complete. */
  readonly attach: (state: ReplState) => void
}

export function createCompleter(): Completer {
  let state: ReplState | undefined
  return {
    complete: (line, callback) => {
      const answer: Promise<Completion> =
        state === undefined || state.isAsking() ? Promise.resolve([[], line]) : completeLine(line, state)
      // oxlint-disable promise/no-callback-in-promise -- readline asks by callback, and both outcomes answer it once.
      answer.then(
        (completion) => callback(null, completion),
        // A node that is gone or slow offers nothing; the command itself will say why.
        () => callback(null, [[], line]),
      )
      // oxlint-enable promise/no-callback-in-promise
    },
    attach: (attached) => {
      state = attached
    },
  }
}

async function completeLine(line: string, state: ReplState): Promise<Completion> {
  const { backend, session } = state.options
  const signal = AbortSignal.timeout(COMPLETION_DEADLINE_MS)
  const selected = async (): Promise<SelectedStore | undefined> => {
    const store = state.current()
    if (store === undefined) return undefined
    try {
      return { store, described: await session.storeInterface(store, signal) }
    } catch (error) {
      // A store that is closed has no methods; the commands are there all the same.
      if (isLatticeError(error)) return undefined
      throw error
    }
  }
  const subscriptions = state.subscriptions.list().map(({ number }) => number)
  return complete(line, {
    program: replProgram(state),
    backend,
    signal,
    current: state.current(),
    selected,
    subscriptions,
  })
}
