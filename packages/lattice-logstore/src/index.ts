/**
 * The log store: `core:logstore`.
 *
 * @module
 */
export type { LogEvent } from './apply-payload.ts'
export { DEFAULT_READ_LIMIT, MAX_BATCH_ENTRIES, MAX_PAGE_BYTES, MAX_READ_LIMIT, MAX_TAIL } from './limits.ts'
export { logStore } from './log-store.ts'
export {
  type Log,
  type LogContent,
  type LogFollowEvent,
  type LogFollowOptions,
  type LogRange,
  type LogReadOptions,
  type LogRecord,
  openLog,
} from './open-log.ts'
