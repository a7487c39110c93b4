/**
 * How long the turns of the event loop are, by the CPU time of its thread: what other processes take does not count.
 *
 * @module
 */

export interface TurnWatch {
  readonly longestMs: () => number
  readonly stop: () => void
}

const MICROSECONDS = 1000

export function watchTurns(): TurnWatch {
  let before = cpuMs()
  let longest = 0
  let handle = setImmediate(turn)

  function turn(): void {
    const now = cpuMs()
    longest = Math.max(longest, now - before)
    before = now
    handle = setImmediate(turn)
  }

  return { longestMs: () => longest, stop: () => clearImmediate(handle) }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / MICROSECONDS
}
