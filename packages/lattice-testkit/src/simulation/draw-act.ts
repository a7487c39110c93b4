/**
 * Chooses what is done next.
 *
 * @module
 */
import { ACTS } from './acts.ts'
import { HISTORY_ACTS } from './history-acts.ts'
import { MEMBERSHIP_ACTS } from './membership-acts.ts'
import { countUp } from './run-record.ts'
import type { World } from './world.ts'

/** Begins one act on one node that is up; nothing when none is. */
export function act(world: World): void {
  const { mesh, random, honest, plan } = world
  const up = honest.filter((index) => mesh.peers[index]?.isUp() === true)
  const index = up[random.below(Math.max(1, up.length))]
  if (index === undefined) return
  // A run without it draws nothing for it.
  if (plan.historyPercent > 0 && random.below(100) < plan.historyPercent) {
    const [name, begin] = draw(world, HISTORY_ACTS)
    note(world, name, name)
    begin(world)
  } else if (random.below(100) < plan.membershipPercent) {
    const [name, begin] = draw(world, MEMBERSHIP_ACTS)
    note(world, name, name)
    begin(world)
  } else {
    const [name, begin] = draw(world, ACTS)
    note(world, name, `node-${index}: ${name}`)
    begin(world, index)
  }
}

function draw<Begin>(
  { random }: World,
  acts: readonly (readonly [weight: number, name: string, begin: Begin])[],
): readonly [string, Begin] {
  let left = random.below(acts.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, name, begin] of acts) {
    left -= weight
    if (left < 0) return [name, begin]
  }
  throw new Error('weights add up')
}

function note({ record }: World, name: string, line: string): void {
  countUp(record.acts, name)
  record.journal.note(line)
}
