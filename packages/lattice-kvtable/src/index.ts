/**
 * The conflict-domain engine: the heads of each key, and one rule for who wins.
 *
 * @module
 */
export { applyWrite, isKvKey, type KvChange, type KvWrite } from './apply-write.ts'
export { applyPurge, findPurges, type KvPurge, type KvPurged } from './purge.ts'
export { get, headIds, heads, type KvEntry, type KvRange, scan } from './read-table.ts'
export type { KvValue } from './read-value.ts'
export { readsTheSame, type Resolved, resolveHeads } from './resolve.ts'
export { compareHeads, decodeHeads, encodeHeads, type KvHead, type KvState } from './value-codec.ts'
