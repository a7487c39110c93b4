/**
 * The rows, in the order of the table of goals.
 *
 * @module
 */
import type { BenchRow } from './row.ts'
import { ANCESTRY_ROW } from './rows/ancestry.ts'
import { BOOTSTRAP_ROW } from './rows/bootstrap.ts'
import { COMING_KEYS_ROW } from './rows/coming-keys.ts'
import { CONVERGENCE_ROW } from './rows/convergence.ts'
import { DISK_ROW } from './rows/disk.ts'
import { GOSSIP_ROW } from './rows/gossip.ts'
import { OPENING_ROW } from './rows/opening.ts'
import { READING_ROW } from './rows/reading.ts'
import { JOINS_ROW } from './rows/joins.ts'
import { NETWORK_ROWS } from './rows/network.ts'
import { RIVALS_ROW } from './rows/rivals.ts'
import { PRUNING_ROW } from './rows/pruning.ts'
import { REAL_PRUNING_ROW } from './rows/real-pruning.ts'
import { RANGE_INDEX_ROW, RECONCILE_ROW } from './rows/reconcile.ts'
import { REVOCATION_ROW } from './rows/revocation.ts'
import { SESSIONS_ROW } from './rows/sessions.ts'
import { STATE_ROOT_ROW } from './rows/state-root.ts'
import { WRITE_ROWS } from './rows/writes.ts'

export const ROWS: readonly BenchRow[] = [
  ...WRITE_ROWS,
  BOOTSTRAP_ROW,
  RECONCILE_ROW,
  SESSIONS_ROW,
  ...NETWORK_ROWS,
  OPENING_ROW,
  READING_ROW,
  DISK_ROW,
  RANGE_INDEX_ROW,
  ANCESTRY_ROW,
  PRUNING_ROW,
  COMING_KEYS_ROW,
  JOINS_ROW,
  REAL_PRUNING_ROW,
  STATE_ROOT_ROW,
  GOSSIP_ROW,
  CONVERGENCE_ROW,
  REVOCATION_ROW,
]

/** Measured when asked for: what others reach, in a table of their own. */
export const RIVAL_ROWS: readonly BenchRow[] = [RIVALS_ROW]

export const ALL_ROWS: readonly BenchRow[] = [...ROWS, ...RIVAL_ROWS]
