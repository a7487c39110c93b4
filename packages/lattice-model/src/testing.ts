/**
 * Doubles of the ports, for tests: time stands still, randomness repeats, tables live in memory.
 *
 * @module
 */
export { createManualClock, type ManualClock } from './testing/manual-clock.ts'
export {
  createManualScheduler,
  type ManualScheduler,
  type ManualSchedulerOptions,
  SETTLE_TURNS,
} from './testing/manual-scheduler.ts'
export { createMemoryTable, type MemoryTable } from './testing/memory-table.ts'
export { createSeededRandom, type SeededRandom } from './testing/seeded-random.ts'
