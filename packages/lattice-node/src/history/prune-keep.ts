/**
 * What has to stay of a history, as a kernel is asked for it.
 *
 * @module
 */
import type { PrunePlanOptions } from '@lattice/kernel'
import { MAX_KEEP_DAYS, type PrunePolicy } from '@lattice/systemstore'
import { invalidArgument } from '../errors.ts'
import type { PruneKeep } from './history-types.ts'

const DAY_MS = 86_400_000
/** As a policy may say it. */
const MAX_KEEP_COUNT = 2 ** 32 - 1

/** Throws `INVALID_ARGUMENT` for what cannot be kept. */
export function keepOptions({ keepCount, keepDays }: PruneKeep, nowMs: number): PrunePlanOptions {
  if (keepCount !== undefined && keepDays !== undefined) {
    throw invalidArgument('history is kept by number or by days: ask for one of the two')
  }
  checkNumber(keepCount, MAX_KEEP_COUNT, 'intentions')
  checkNumber(keepDays, MAX_KEEP_DAYS, 'days')
  return {
    ...(keepCount !== undefined && { keepCount }),
    ...(keepDays !== undefined && { keepMs: keepDays * DAY_MS }),
    nowMs,
  }
}

/** Undefined for a policy by which nothing is pruned. */
export function keepOf(policy: PrunePolicy): PruneKeep | undefined {
  switch (policy.kind) {
    case 'manual':
      return undefined
    case 'keep_days':
      return { keepDays: policy.days }
    case 'keep_count':
      return { keepCount: policy.count }
  }
}

/** A policy that can be set. Throws `INVALID_ARGUMENT`. */
export function checkPolicy(policy: PrunePolicy): void {
  const keep = keepOf(policy)
  if (keep !== undefined) keepOptions(keep, 0)
}

function checkNumber(value: number | undefined, max: number, what: string): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return
  throw invalidArgument(`1 to ${max.toLocaleString('en-US')} ${what} can be kept: choose a number of these`)
}
