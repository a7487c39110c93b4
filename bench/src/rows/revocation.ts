/**
 * Row 15: how soon whole nodes enforce a revocation, and what that takes.
 *
 * The revoked peer is connected and in the middle of a burst of writes. Enforced at a node means that the epoch is there:
 * from then on nothing of the peer counts that the epoch does not have in its past, and the peer is let in nowhere. Time
 * and the network are simulated, as in row 14.
 *
 * @module
 */
import { openKv } from '@lattice/kvstore'
import { type StoreId, toHex } from '@lattice/model'
import { createSimMesh, type SimMesh } from '@lattice/testkit'
import { atMost, type Figure, type Unit } from '../figure.ts'
import type { BenchRow, RowContext } from '../row.ts'
import { sampleOf } from '../sample.ts'
import { inMemory, LATENCY_MS, SETTLE_MS, shareInTurn } from '../whole-nodes.ts'

/** Writes of the revoked peer that are on their way as it is revoked. */
const WRITES = 20

interface Revocation {
  readonly enforcedSeconds: number
  readonly agreedSeconds: number
  readonly settledSeconds: number
  readonly toldSeconds: number
  readonly messages: number
  readonly bytes: number
}

async function revoke(mesh: SimMesh, id: StoreId, revoked: number): Promise<Revocation> {
  const { clock } = mesh.time.scheduler
  const others = mesh.peers.map((_, index) => index).filter((index) => index !== revoked)
  const key = mesh.node(revoked).id
  const enforces = (index: number): boolean => mesh.store(index, id).kernel().revokedBy(key).length > 0
  const writes = Array.from({ length: WRITES }, (_, turn) => openKv(mesh.store(revoked, id)).put(`late ${turn}`, 'x'))
  // Those that come after it heard of the epoch are refused.
  const written = Promise.allSettled(writes)
  const before = mesh.network.traffic()
  const startedMs = clock.monotonicMs()
  const seconds = (): number => (clock.monotonicMs() - startedMs) / 1000
  const { epoch } = await mesh.complete(mesh.store(0, id).revokePeer(toHex(key)))
  await mesh.run(() => others.every(enforces), 'all others enforce the revocation')
  const enforcedSeconds = seconds()
  const after = mesh.network.traffic()
  const [messages, bytes] = [after.messages - before.messages, after.bytes - before.bytes]
  await mesh.complete(written)
  await mesh.converge(id, others)
  const agreedSeconds = seconds()
  const isSettled = (index: number): boolean =>
    mesh
      .store(index, id)
      .kernel()
      .epochs()
      .some((each) => toHex(each.id) === toHex(epoch.id) && each.isSettled)
  await mesh.run(() => others.every(isSettled), 'it is settled everywhere')
  const settledSeconds = seconds()
  await mesh.run(() => enforces(revoked), 'the revoked peer is told')
  return { enforcedSeconds, agreedSeconds, settledSeconds, toldSeconds: seconds(), messages, bytes }
}

async function run(context: RowContext): Promise<readonly Figure[]> {
  const nodes = context.size(50, 10)
  context.progress(`${nodes} nodes join one store`)
  await using mesh = await createSimMesh({
    seed: 'revocation',
    nodes,
    startNodes: 1,
    within: inMemory(context),
    latencyMs: LATENCY_MS,
  })
  const id = await shareInTurn(mesh)
  context.progress(`${nodes} nodes meet`)
  await mesh.converge(id)
  await mesh.time.pass(SETTLE_MS)
  context.progress('one is revoked')
  const found = await revoke(mesh, id, nodes - 1)
  const figure = (what: string, unit: Unit, value: number): Figure => ({
    name: `one of ${nodes} revoked: ${what}`,
    unit,
    ours: sampleOf([value]),
    goals: [],
  })
  return [
    { ...figure('enforced at all others', 's', found.enforcedSeconds), goals: [atMost(3)] },
    figure('all others equal', 's', found.agreedSeconds),
    figure('settled at all others', 's', found.settledSeconds),
    figure('and the revoked peer told, at the latest', 's', found.toldSeconds),
    figure('messages until enforced', 'sent', found.messages),
    figure('bytes until enforced', 'B', found.bytes),
  ]
}

export const REVOCATION_ROW: BenchRow = {
  id: '15',
  task: 'Revocation among whole nodes, in virtual time',
  floor: 'none',
  goal: 'enforced everywhere as soon as a write is: within 3 s of virtual time',
  run,
}
