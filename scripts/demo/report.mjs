/**
 * What the demonstration prints: one plain line a step, with what happened and its figures; on a terminal a progress bar
 * on the way.
 */

const LABEL_WIDTH = 58
const BAR_WIDTH = 24
const terminal = process.stderr.isTTY === true

/** 34924 → `34,924`. */
export function count(number) {
  return Number(number).toLocaleString('en-US')
}

/** 1913704 → `1.9 MB`. */
export function bytes(number) {
  if (number < 1_000) return `${number} B`
  if (number < 1_000_000) return `${(number / 1_000).toFixed(1)} kB`
  return `${(number / 1_000_000).toFixed(1)} MB`
}

/** Draws a bar on the line the step's own line will replace. Silent without a terminal. */
export function progress(label, done, total) {
  if (!terminal) return
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  process.stderr.write(`\r\u001b[2K  ${label} ${bar} ${count(done)} of ${count(total)}`)
}

/** Wipes a progress bar. */
export function clearProgress() {
  if (terminal) process.stderr.write('\r\u001b[2K')
}

/**
 * Runs one step and prints its line. The step answers `{ text, figures }`.
 *
 * @template T
 * @param {(step: { progress: (done: number, total: number) => void }) => Promise<{ text: string, figures: string, value?: T }>} run
 * @returns {Promise<T | undefined>}
 */
export async function step(label, run) {
  const started = performance.now()
  const { text, figures, value } = await run({ progress: (done, total) => progress(label, done, total) })
  clearProgress()
  const milliseconds = Math.round(performance.now() - started)
  process.stdout.write(
    `  ${text.padEnd(LABEL_WIDTH)} ${figures}${figures === '' ? '' : ', '}${count(milliseconds)} ms\n`,
  )
  return value
}
