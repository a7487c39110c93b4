/** What somebody wrote that was let in by an admin who turns out to be removed: everybody comes to the same of it. */
import {
  createSigner,
  encodeUniversalOp,
  type IntentionId,
  type KeyPair,
  NO_HINTS,
  type ParsedIntention,
  signIntention,
  sortDeps,
  toIntentionId,
  utf8Encode,
} from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { system } from '@lattice/proto'
import { expect, test } from 'vitest'
import { createSimMesh } from '../src/index.ts'
import { get, isAlone, keyOf, put, shareFamily, stateOf } from './support.ts'

const crypto = await openCrypto()

/** Nodes 0 to 2 with a root and a store below it; node 1 lets node 3 in while node 0, which removes it, is alone. */
async function letInInVain(seed: string) {
  const mesh = await createSimMesh({ seed, nodes: 4, discovery: true })
  const { root, notes } = await shareFamily(mesh, [0, 1, 2])
  await mesh.complete(mesh.store(0, root).setPeerRole(keyOf(mesh, 1), system.Role.ADMIN))
  for (const id of [root, notes]) await mesh.converge(id, [0, 1, 2])
  mesh.partition([0], [1, 2, 3])
  await mesh.run(() => isAlone(mesh, 0, root), 'node 0 is alone')
  await mesh.complete(mesh.node(3).join(await mesh.invite(1, root)))
  await mesh.run(() => stateOf(mesh, 3, notes) === 'active', 'node 3 has both')
  return { mesh, root, notes }
}

test.each([
  ['that others built on', true],
  ['that is the last there is', false],
])('a write to a store below %s', async (_, isBuiltOn) => {
  const { mesh, root, notes } = await letInInVain(`built on: ${String(isBuiltOn)}`)
  await using _mesh = mesh
  await put(mesh, 3, notes, ['by3', 'v'])
  await mesh.converge(notes, [1, 2, 3])
  if (isBuiltOn) await put(mesh, 2, notes, ['by2', 'v'])
  await mesh.converge(notes, [1, 2, 3])
  await mesh.complete(mesh.store(0, root).revokePeer(keyOf(mesh, 1)))
  mesh.heal()
  await mesh.run(() => stateOf(mesh, 1, root) === 'revoked', 'node 1 knows that it is out')
  for (const id of [root, notes]) await mesh.converge(id, [0, 2])
  expect(await get(mesh, 0, notes, 'by3')).toBe(await get(mesh, 2, notes, 'by3'))
  if (isBuiltOn) expect(await get(mesh, 0, notes, 'by2')).toBe('v')
})

test('a first write that does not cite what let its author in is taken by nobody, so that none can be parted by it', async () => {
  let keyPair: KeyPair | undefined
  const mesh = await createSimMesh({
    seed: 'uncited',
    nodes: 2,
    wrapTransport: (wrapped) => {
      if (wrapped.index === 1) keyPair = wrapped.keyPair
      return wrapped.transport
    },
  })
  await using _ = mesh
  const id = await mesh.share('team')
  await mesh.converge(id)
  if (keyPair === undefined) throw new Error('a node opens its transport')
  const signer = createSigner(crypto, keyPair)
  const { kernel } = mesh.store(0, id)
  const genesis = toIntentionId(id.slice())
  const write = (causalDeps: readonly IntentionId[]): ParsedIntention =>
    signIntention(crypto, signer, {
      intention: {
        author: mesh.node(1).id,
        timestamp: { wall: mesh.time.scheduler.clock.wallMs(), counter: 1 },
        storePrev: genesis,
        causalDeps: sortDeps(causalDeps),
        hints: NO_HINTS,
        ops: encodeUniversalOp({ kind: 'appData', schema: 1, value: utf8Encode('anything') }),
      },
      close: true,
    })
  const ingest = async (one: ParsedIntention) => mesh.complete(kernel().ingest([one], undefined))
  expect(await ingest(write([genesis]))).toMatchObject([{ kind: 'floating', reason: 'not_admitted' }])
  expect(await ingest(write([genesis, ...kernel().frontier()]))).toMatchObject([{ kind: 'witnessed' }])
})
