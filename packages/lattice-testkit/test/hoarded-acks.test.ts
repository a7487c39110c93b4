/** A member that keeps its own acknowledgements to itself calls an epoch final that nobody else does. */
import { join } from 'node:path'
import { peekLog } from '@lattice/kernel'
import { type Crypto, equalBytes, parseSignedIntention, type StoreId, toHex } from '@lattice/model'
import { createFrameDecoder, encodeFrame, type Frame, type FrameInit } from '@lattice/net'
import type { BiStream, Connection, Transport } from '@lattice/net-types'
import { system } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { sharedCrypto } from '../src/shared-crypto.ts'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { get, put } from './support.ts'

/** Whose acknowledgements are kept back. */
const HOARDER = 2
/** Who comes back, or comes new. */
const LATE = 3

const kernelOf = (mesh: SimMesh, index: number, id: StoreId) => mesh.store(index, id).kernel()
const isCut = (mesh: SimMesh, index: number, id: StoreId): boolean => kernelOf(mesh, index, id).base() !== undefined

/** A transport that leaves out what its own node acknowledged, while it is told to. */
function hoarding(transport: Transport, crypto: Crypto, isOn: () => boolean): Transport {
  const isKept = ({ intention, signature }: { intention: Uint8Array; signature: Uint8Array }): boolean => {
    const parsed = parseSignedIntention(crypto, { bytes: intention, signature })
    return parsed.ok && parsed.value.op.kind === 'epochAck' && equalBytes(parsed.value.intention.author, transport.id)
  }
  const without = (frame: Frame): FrameInit | undefined => {
    if (frame.case !== 'intentions' && frame.case !== 'push') return frame
    const intentions = frame.value.intentions.filter((each) => !isKept(each))
    if (frame.case === 'intentions') return { case: 'intentions', value: { intentions, last: frame.value.last } }
    return intentions.length === 0 ? undefined : { case: 'push', value: { ...frame.value, intentions } }
  }
  const wrapStream = (stream: BiStream): BiStream => {
    const decoder = createFrameDecoder()
    const write = async (bytes: Uint8Array): Promise<void> => {
      if (!isOn()) return stream.write(bytes)
      decoder.push(bytes)
      for (let next = decoder.next(); next.ok && next.value !== undefined; next = decoder.next()) {
        const frame = without(next.value)
        if (frame !== undefined) await stream.write(encodeFrame(frame))
      }
    }
    return { ...stream, write }
  }
  const wrap = (connection: Connection): Connection => ({
    ...connection,
    open: async () => wrapStream(await connection.open()),
    streams: mapped(connection.streams, wrapStream),
  })
  return {
    ...transport,
    connect: async (peer, options) => wrap(await transport.connect(peer, options)),
    incoming: mapped(transport.incoming, wrap),
  }
}

async function* mapped<A, B>(items: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B, void, undefined> {
  for await (const item of items) yield map(item)
}

/** Node 3 is away: new, or silent for long. Node 2 has cut the history, node 0 and 1 could not, and are down. */
async function hoarded(seed: string, hadIt: boolean) {
  let isOn = false
  const crypto = await sharedCrypto()
  const mesh = await createSimMesh({
    seed,
    nodes: 4,
    discovery: true,
    wrapTransport: ({ index, transport }) => (index === HOARDER ? hoarding(transport, crypto, () => isOn) : transport),
  })
  const { id } = await mesh.complete(mesh.node(0).createStore({ name: 'team' }))
  const members = hadIt ? [1, HOARDER, LATE] : [1, HOARDER]
  for (const index of members) await mesh.complete(mesh.node(index).join(await mesh.invite(0, id)))
  await mesh.converge(id, [0, ...members])
  for (let n = 0; n < 6; n += 1) await put(mesh, n % 2, id, [`k${n % 5}`, `of ${n}`])
  await mesh.converge(id, [0, ...members])
  if (hadIt) {
    await mesh.complete(mesh.store(0, id).setPeerStatus('node-3', system.PeerStatus.DORMANT))
    await mesh.converge(id)
  }
  await mesh.complete(mesh.store(0, id).setPeerRole(`node-${HOARDER}`, system.Role.ADMIN))
  await mesh.converge(id, [0, 1, HOARDER])
  await mesh.stop(LATE)
  isOn = true
  const epoch = await mesh.complete(kernelOf(mesh, 0, id).submitEpoch({ kind: 'prune' }))
  await mesh.run(() => isCut(mesh, HOARDER, id), 'who keeps its word back has cut the history')
  await put(mesh, 0, id, ['after', 'v'])
  await mesh.run(() => kernelOf(mesh, 1, id).epoch(epoch)?.acked.length === 1, 'the others wait for its word')
  // Nobody else is there to be asked.
  for (const index of [0, 1]) await mesh.stop(index)
  const end = (): void => {
    isOn = false
  }
  return { mesh, id, epoch, end }
}

/** Looks again and again over so long a time. */
async function watch(mesh: SimMesh, minutes: number, look: () => void): Promise<void> {
  const untilMs = mesh.time.scheduler.clock.monotonicMs() + minutes * 60_000
  await mesh.run(() => {
    look()
    return mesh.time.scheduler.clock.monotonicMs() >= untilMs
  }, 'the time is over')
}

const isOpen = (mesh: SimMesh, index: number, id: StoreId): boolean =>
  mesh
    .node(index)
    .stores()
    .some((store) => equalBytes(store.id, id) && store.state === 'active')

describe('an epoch that one member alone calls final', () => {
  test('is none that a node which was away comes back to, before the others say so', async () => {
    const { mesh, id, end } = await hoarded('away', true)
    await using _ = mesh
    await mesh.start(LATE)
    await watch(mesh, 5, () => expect(isCut(mesh, LATE, id)).toBe(false))
    for (const index of [0, 1]) await mesh.start(index)
    await mesh.run(() => kernelOf(mesh, LATE, id).epochs().length > 0, 'it goes on with those who have not cut it')
    expect(isCut(mesh, LATE, id)).toBe(false)
    end()
    await mesh.run(() => [0, 1].every((index) => isCut(mesh, index, id)), 'the others have cut it')
    await mesh.converge(id)
    expect(await get(mesh, LATE, id, 'k0')).toBe(await get(mesh, 0, id, 'k0'))
  })

  test('is none that a new member begins with', async () => {
    const { mesh, id, end } = await hoarded('new', false)
    await using _ = mesh
    const token = await mesh.invite(HOARDER, id)
    await mesh.start(LATE)
    const joined = mesh.complete(mesh.node(LATE).join(token))
    joined.catch(() => undefined)
    await watch(mesh, 5, () => expect(isOpen(mesh, LATE, id)).toBe(false))
    await mesh.stop(LATE)
    expect(peekLog(join(mesh.peers[LATE]?.dataDir() ?? '', 'stores', toHex(id)))?.witnessCount ?? 0).toBe(0)
    await mesh.start(LATE)
    for (const index of [0, 1]) await mesh.start(index)
    end()
    await mesh.run(() => isOpen(mesh, LATE, id), 'it is in')
    await mesh.converge(id)
    expect(await get(mesh, LATE, id, 'k0')).toBe(await get(mesh, 0, id, 'k0'))
  })
})
