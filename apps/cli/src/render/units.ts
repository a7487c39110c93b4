/**
 * Quantities for people: counts, sizes, durations and times.
 *
 * @module
 */
const SIZE_UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** `34,924`. */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString('en-US')
}

/** `34,924 records`, `1 record`. */
export function formatPlural(count: number | bigint, one: string, many: string = `${one}s`): string {
  return `${formatCount(count)} ${Number(count) === 1 ? one : many}`
}

/** Decimal units with one digit: `1.9 MB`. */
export function formatSize(size: number | bigint): string {
  let value = Number(size)
  if (value < 1000) return `${value} B`
  let unit = ''
  for (const name of SIZE_UNITS) {
    value /= 1000
    unit = name
    if (value < 999.95) break
  }
  return `${value.toFixed(1)} ${unit}`
}

/** The two largest units: `850 ms`, `2.1 s`, `3 min 5 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number | bigint): string {
  const value = Math.max(0, Number(ms))
  if (value < SECOND_MS) return `${Math.round(value)} ms`
  if (value < MINUTE_MS) return `${(Math.floor(value / 100) / 10).toFixed(1)} s`
  if (value < HOUR_MS)
    return two([Math.floor(value / MINUTE_MS), 'min'], [Math.floor((value % MINUTE_MS) / SECOND_MS), 's'])
  if (value < DAY_MS) return two([Math.floor(value / HOUR_MS), 'h'], [Math.floor((value % HOUR_MS) / MINUTE_MS), 'min'])
  return two([Math.floor(value / DAY_MS), 'd'], [Math.floor((value % DAY_MS) / HOUR_MS), 'h'])
}

/** `2026-11-22 17:47:47Z`: UTC, for the nodes of a mesh stand in different places. Out-of-range times are shown as the number. */
export function formatTime(wallMs: number | bigint): string {
  const date = new Date(Number(wallMs))
  if (Number.isNaN(date.getTime())) return `${wallMs} ms`
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** `2 h 5 min ago`; `never` for 0. */
export function formatAgo(wallMs: number | bigint, nowMs: number): string {
  if (Number(wallMs) === 0) return 'never'
  return `${formatDuration(nowMs - Number(wallMs))} ago`
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  min: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
}

/** Reads `90s`, `30m`, `24h`, `7d`, `2w`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,15})([a-z]{1,3})$/u.exec(text)
  const unit = DURATION_UNITS[match?.[2] ?? '']
  if (match === null || unit === undefined) return undefined
  const ms = Number(match[1]) * unit
  return Number.isSafeInteger(ms) ? ms : undefined
}

function two([large, largeUnit]: readonly [number, string], [small, smallUnit]: readonly [number, string]): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}
