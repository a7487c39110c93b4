/**
 * Quantities and names as sentences of findings show them.
 *
 * @module
 */
import type { PublicKey } from '@lattice/model'
import { shortId } from '../errors.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SIZE_STEP = 1000
const SIZE_UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** `12,000`. */
export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

/** `1 intention`, `12 intentions`. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

/** The largest unit alone, for a sentence: `4 s`, `3 min`, `2 h`, `5 d`. */
export function durationText(ms: number): string {
  const value = Math.max(0, ms)
  if (value < SECOND_MS) return 'less than 1 s'
  if (value < MINUTE_MS) return `${Math.floor(value / SECOND_MS)} s`
  if (value < HOUR_MS) return `${Math.floor(value / MINUTE_MS)} min`
  if (value < DAY_MS) return `${Math.floor(value / HOUR_MS)} h`
  return `${Math.floor(value / DAY_MS)} d`
}

/** Decimal units with one digit: `1.9 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < SIZE_STEP) return `${bytes} B`
  let [value, unit] = [bytes, '']
  for (const name of SIZE_UNITS) {
    value /= SIZE_STEP
    unit = name
    if (value < SIZE_STEP - 0.05) break
  }
  return `${value.toFixed(1)} ${unit}`
}

export interface Named {
  readonly publicKey: PublicKey
  /** May be empty. */
  readonly name: string
}

/** A peer as a sentence names it. */
export function peerText({ publicKey, name }: Named): string {
  return name === '' ? shortId(publicKey) : name
}

/** `nas`, `nas and vps`, `nas, vps and 3 others`. */
export function listText(names: readonly string[], shown = 3): string {
  const head = names.slice(0, shown)
  const rest = names.length - head.length
  const all = rest > 0 ? [...head, plural(rest, 'other')] : head
  const last = all.at(-1) ?? ''
  return all.length < 2 ? last : `${all.slice(0, -1).join(', ')} and ${last}`
}

/** A sentence of somebody else's as the end of one of ours. */
export function withoutStop(sentence: string): string {
  return sentence.replace(/[.\s]+$/u, '')
}
