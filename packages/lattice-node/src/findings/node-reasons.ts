/**
 * What keeps a whole node from exchanging or writing, whatever the store.
 *
 * @module
 */
import { MAX_DRIFT_MS } from '@lattice/model'
import type { ClockStatus } from '../node-types.ts'
import type { Reason } from './finding.ts'
import { durationText, sizeText } from './words.ts'

/** Of the file system that holds the data directory. */
export interface DiskSpace {
  /** For this user. */
  readonly freeBytes: number
  readonly totalBytes: number
}

export interface NodeSnapshot {
  readonly hasNetwork: boolean
  readonly clock: ClockStatus
  /** Undefined where the system does not say. */
  readonly disk: DiskSpace | undefined
}

/** Room for a day of busy writing; below it somebody should look. */
export const DISK_LOW_BYTES: number = 1024 * 1024 * 1024
/** Room for a checkpoint of a large write-ahead log; below it writes are about to be refused. */
export const DISK_CRITICAL_BYTES: number = 128 * 1024 * 1024

export function nodeReasons({ hasNetwork, clock, disk }: NodeSnapshot): readonly Reason[] {
  return [...clockReasons(clock), ...(disk === undefined ? [] : diskReasons(disk)), ...(hasNetwork ? [] : [NO_NETWORK])]
}

const NO_NETWORK: Reason = {
  severity: 'warning',
  code: 'no_network',
  what: 'this node runs without a network: it exchanges nothing with anyone',
  remedy: 'start it without `--offline`',
}

/** Nothing for a clock that is as it should be. */
export function clockReasons({ verdict, aheadMs }: ClockStatus): readonly Reason[] {
  const detail = aheadMs === undefined ? {} : { aheadMs }
  const remedy = 'set the clock of this machine right, or let it be set by NTP'
  if (verdict === 'behind') {
    const what = `the clock of this node is behind${aheadMs === undefined ? ' what it has witnessed' : ` by ${durationText(Math.abs(aheadMs))}`}: it goes by what its peers say`
    return [{ severity: 'warning', code: 'clock_behind', what, remedy, detail }]
  }
  if (verdict === 'good' || aheadMs === undefined) return []
  const isRefused = aheadMs > MAX_DRIFT_MS
  const what = `the clock of this node is ${durationText(aheadMs)} ahead of its peers${isRefused ? ': its writes are refused until it is right' : ''}`
  return [{ severity: isRefused ? 'problem' : 'warning', code: 'clock_ahead', what, remedy, detail }]
}

/** Nothing where there is room. */
export function diskReasons({ freeBytes, totalBytes }: DiskSpace): readonly Reason[] {
  if (freeBytes >= DISK_LOW_BYTES) return []
  const isCritical = freeBytes < DISK_CRITICAL_BYTES
  return [
    {
      severity: isCritical ? 'problem' : 'warning',
      code: 'disk_low',
      what: `${sizeText(freeBytes)} of ${sizeText(totalBytes)} are free where the data directory is${isCritical ? ': writes are about to be refused' : ''}`,
      remedy: 'free some space, or move the data directory to a larger disk',
      detail: { freeBytes, totalBytes },
    },
  ]
}
