/** Whole nodes under faults and a hostile peer, one course per seed: see `docs/simulation.md`. */
import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { runSeeds } from '../src/simulation/run-seeds.ts'
import { renderSummary, summarize } from '../src/simulation/sim-summary.ts'

const SEEDS = 200
const OPTIONS = { nodes: 5, minutes: 0.08 } as const
/** On a machine where many others work at the same time. */
const TIMEOUT_MS: number = 20 * 60_000

/** What has to come to pass in so many runs: a fault that no run has is one that nobody looks at. */
const KINDS = [
  'spikes resends lostConnections replays redials',
  'crash crash_at_point stop partition one_way_cut disconnect skew skew_far disk_full weather',
  'forge_digest lie_about_count lie_about_time withhold bad_signature garbage oversized repeat done_early fall_silent end_early fork',
  'invent_ids graft_or_prune other_topic invent_peers forge_epoch forge_ack backdate_epoch',
  'revoke revoke_self demote promote_again dormant invite_again join_again',
  'prune prune_and_crash prune_apart prune_and_revoke prune_policy lie_about_state',
  'revoke_mutually revoke_at_once revoke_offline revoke_and_crash split_for_long',
  'put batch resolve write_to_child join promote archive rebuild verify',
].flatMap((line) => line.split(' '))

test(`${SEEDS} seeds keep to every rule and come together again`, { timeout: TIMEOUT_MS }, async () => {
  const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1)
  const began = performance.now()
  const reports = await runSeeds({ ...OPTIONS, seeds, jobs: availableParallelism() })
  const summary = summarize(reports, { ...OPTIONS, tookMs: performance.now() - began })
  process.stdout.write(renderSummary(summary))
  expect(summary.failed.map(({ text }) => text)).toEqual([])
  expect(summary.seeds).toBe(SEEDS)
  const happened = Object.keys(summary.faults).filter((kind) => (summary.faults[kind] ?? 0) > 0)
  expect(happened).toEqual(expect.arrayContaining(KINDS))
})
