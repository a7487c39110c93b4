/**
 * One line on stderr that says how far work is, redrawn in place, and gone when
 * the work is done. It draws only on a terminal, and only when what it shows
 * has changed.
 *
 * @module
 */
import { truncate } from './display-text.ts'
import type { Style } from './style.ts'

export interface ProgressBar {
  /** `total` 0 = unknown. */
  readonly update: (done: number, total: number, note?: string) => void
  /** Removes the line. Idempotent. */
  readonly clear: () => void
}

export interface ProgressBarOptions {
  readonly label: string
  /** Undefined = draw nothing. */
  readonly stderr: ProgressTarget | undefined
  readonly style: Style
}

export interface ProgressTarget {
  readonly isTTY?: boolean
  /** 0 of a terminal that does not tell its width. */
  readonly columns?: number
  readonly write: (text: string) => unknown
}

const BAR_CELLS = 24
const DEFAULT_COLUMNS = 80
const CLEAR_LINE = '\r\u001B[K'

export function createProgressBar({ label, stderr, style }: ProgressBarOptions): ProgressBar {
  if (stderr === undefined || stderr.isTTY !== true) return { update: () => undefined, clear: () => undefined }
  let shown = ''
  return {
    update: (done, total, note = '') => {
      const line = truncate(progressLine({ label, done, total, note }), (stderr.columns || DEFAULT_COLUMNS) - 1)
      if (line === shown) return
      shown = line
      stderr.write(`${CLEAR_LINE}${style.dim(line)}`)
    },
    clear: () => {
      if (shown !== '') stderr.write(CLEAR_LINE)
      shown = ''
    },
  }
}

/** `joining ━━━━━━━━──────── 50%  1,200 of 2,400`. */
export function progressLine(progress: {
  readonly label: string
  readonly done: number
  readonly total: number
  readonly note: string
}): string {
  const { label, done, total, note } = progress
  if (total <= 0) return [label, note].filter((part) => part !== '').join('  ')
  const share = Math.min(1, Math.max(0, done / total))
  const filled = Math.round(share * BAR_CELLS)
  const bar = '━'.repeat(filled) + '─'.repeat(BAR_CELLS - filled)
  const percent = `${Math.floor(share * 100)}%`.padStart(4)
  return [`${label} ${bar} ${percent}`, note].filter((part) => part !== '').join('  ')
}
