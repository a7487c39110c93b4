/**
 * The end of some runs: history is cut, once or more, while somebody is away for all of it; then newcomers are let in.
 *
 * In the chaos few cuts are whole before all comes together again, so who comes back there is seldom behind one.
 *
 * @module
 */
import { equalBytes } from '@lattice/model'
import { prune, sendAway, writeOn } from './history-acts.ts'
import { adminOf, pick, revoke, up } from './membership-acts.ts'
import { track } from './track.ts'
import { storeIn, type World } from './world.ts'

/** Virtual time for a cut, at most: acknowledgements take seconds. Where it takes longer all goes on without. */
const MAX_CUT_MS = 40_000
const LOOK_MS = 500

export async function cutApart(world: World): Promise<void> {
  const { plan, random, mesh, record } = world
  if (plan.cutsApart === 0) return
  const index = adminOf(world)
  const away = pick(
    world,
    up(world).filter((each) => each !== index),
  )
  if (index === undefined || away === undefined) return
  record.journal.note(`history is cut by node-${index} while node-${away} is away`)
  mesh.network.heal()
  sendAway(world, index, away)
  if (random.below(4) === 0) revoke(world, index, away)
  for (let cut = 0; cut < plan.cutsApart; cut += 1) {
    writeOn(world, away)
    for (const each of up(world)) if (each !== away) writeOn(world, each)
    await mesh.time.pass(LOOK_MS)
    await cutAll(world, index)
  }
  inviteLate(world, index)
  await mesh.time.pass(LOOK_MS)
  joinLate(world)
}

/** Both of the shared stores, on the node that asks for it. */
async function cutAll(world: World, index: number): Promise<void> {
  const { mesh, stores } = world
  const ids = Object.values(stores)
  const before = ids.map((id) => storeIn(world, index, id)?.kernel().base()?.epoch)
  for (const id of ids) prune(world, index, id)
  const isCut = (): boolean =>
    ids.every((id, nth) => {
      const base = storeIn(world, index, id)?.kernel().base()?.epoch
      const old = before[nth]
      return base !== undefined && (old === undefined || !equalBytes(base, old))
    })
  for (let ms = 0; ms < MAX_CUT_MS && !isCut(); ms += LOOK_MS) await mesh.time.pass(LOOK_MS)
}

function inviteLate(world: World, index: number): void {
  const { late, record, stores } = world
  const store = storeIn(world, index, stores.team)
  if (late.length === 0 || store === undefined) return
  const uses = late.length
  track(world, { what: 'invite', index, work: () => store.invite({ uses }) }, ({ token, tokenHash }) =>
    record.tokens.push({ token, tokenHash, uses }),
  )
}

/** All that have joined nothing yet. */
function joinLate(world: World): void {
  const { late, mesh, record } = world
  const token = record.tokens.at(-1)?.token
  for (const index of late) {
    if (token === undefined || mesh.peers[index]?.isUp() !== true || mesh.node(index).stores().length > 0) continue
    track(world, { what: 'join', index, work: () => mesh.node(index).join(token) })
  }
}
