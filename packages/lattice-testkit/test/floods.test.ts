/** A peer that takes part in the store and turns hostile: what it costs whole nodes, and what becomes of it. */
import { type KeyPair, type Logger, silentLogger, type StoreId, toHex } from '@lattice/model'
import { openCrypto } from '@lattice/model/crypto'
import { DEFAULT_LIMITS, type FrameInit } from '@lattice/net'
import {
  type BucketRate,
  DIGEST_EXCHANGE_COST,
  MISDEED_POINTS,
  MUTE_SCORE,
  PEER_DIGESTS,
  GRAFT_IDS_MAX,
  gossipTopic,
  IHAVE_IDS_MAX,
  PEER_ANNOUNCED_IDS,
  PEER_SESSIONS,
  SCORE_HALF_LIFE_MS,
  type Topic,
} from '@lattice/net/testing'
import { net } from '@lattice/proto'
import { afterEach, describe, expect, test } from 'vitest'
import { createSimMesh, type SimMesh } from '../src/index.ts'
import { createRawPeer, type RawPeer, type RawStream } from './raw-peer.ts'
import { put } from './support.ts'

/** Honest nodes, of which the first is flooded; the hostile one comes after them. */
const HONEST = 2
const VICTIM = 0
const HOSTILE = HONEST
/** Streams that a flood keeps open: well within what a peer may. */
const LANES = 16
const RETRY_MS = 500
/** Until a score a little above that of the muted is below it. */
const SERVED_AGAIN_MS = Math.ceil(
  SCORE_HALF_LIFE_MS * Math.log2((MUTE_SCORE + 1.5 * MISDEED_POINTS.overuse) / MUTE_SCORE),
)

interface Misdeed {
  readonly at: string
  readonly peer: string
  readonly code: string
}

interface Siege {
  readonly mesh: SimMesh
  readonly id: StoreId
  readonly raw: RawPeer
  readonly hostileId: string
  /** Everything any node was scored for. */
  readonly misdeeds: readonly Misdeed[]
}

const open: Siege[] = []
afterEach(async () => {
  for (const { mesh } of open.splice(0)) await mesh.close()
})

/** Three nodes that share a store, of which the last was taken over. */
async function besiege(seed: string): Promise<Siege> {
  const misdeeds: Misdeed[] = []
  const logger = (at: string): Logger => ({
    ...silentLogger,
    warn: (event, fields) => {
      if (event === 'peer misbehaves')
        misdeeds.push({ at, peer: String(fields?.['peer']), code: String(fields?.['code']) })
    },
  })
  let keyPair: KeyPair | undefined
  const mesh = await createSimMesh({
    seed,
    nodes: HONEST + 1,
    latencyMs: { min: 1, max: 5 },
    logger,
    wrapTransport: (wrapped) => {
      if (wrapped.index === HOSTILE) keyPair = wrapped.keyPair
      return wrapped.transport
    },
  })
  const id = await mesh.share('team')
  await mesh.converge(id)
  await mesh.stop(HOSTILE)
  if (keyPair === undefined) throw new Error('a node opens its transport')
  const raw = createRawPeer(mesh, keyPair, VICTIM)
  const siege = { mesh, id, raw, hostileId: toHex(keyPair.publicKey), misdeeds }
  open.push(siege)
  await mesh.complete(raw.connect())
  return siege
}

const nowMs = ({ mesh }: Siege): number => mesh.time.scheduler.clock.monotonicMs()
const honest = Array.from({ length: HONEST }, (_, index) => index)

interface Flood {
  /** Ends it; resolves once nothing of it runs. */
  readonly stop: () => Promise<void>
}

/** Goes on with `act` in so many lanes until stopped, or refused. */
function startFlood(mesh: SimMesh, act: () => Promise<void>, lanes = 1): Flood {
  let isOver = false
  const one = async (): Promise<void> => {
    while (!isOver) await act()
  }
  const running = Promise.allSettled(Array.from({ length: lanes }, one))
  return {
    stop: async () => {
      isOver = true
      await mesh.complete(running)
    },
  }
}

/** What a bucket lets through by now, when it was full at `startedMs`. */
function mostOf({ burst, perSecond }: BucketRate, siege: Siege, startedMs: number): number {
  return burst + (perSecond * (nowMs(siege) - startedMs)) / 1000
}

let drawn = 0
/** Ids of nothing, none twice. */
function strangeIds(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const id = new Uint8Array(32).fill(0xd1)
    new DataView(id.buffer).setUint32(0, (drawn += 1))
    return id
  })
}

const rounds = (count: number): number[] => Array.from({ length: count }, () => 1)

/** The honest nodes write, and are in step again within so much time. */
async function expectService(siege: Siege, withinMs = 2_000): Promise<void> {
  const { mesh, id } = siege
  for (const index of honest) await put(mesh, index, id, [`of ${index}`, `at ${nowMs(siege)}`])
  await mesh.run(() => mesh.isConverged(id, honest), 'the honest are in step during the flood', withinMs)
}

/** Dials now and then until it is taken in: a connection that is not is closed at once. */
async function comeBack(siege: Siege): Promise<void> {
  const { mesh, raw } = siege
  while (!raw.isConnected()) {
    await mesh.complete(raw.connect())
    await mesh.time.pass(RETRY_MS)
  }
}

function raise(): never {
  throw new Error('there is one')
}

/** Nobody but the hostile one was scored, and by nobody but the one it spoke to. */
function expectOnlyHostileScored({ misdeeds, hostileId }: Siege): void {
  for (const { at, peer } of misdeeds) expect({ at, peer }).toEqual({ at: `node-${VICTIM}`, peer: hostileId })
}

/** What the victim says of it to its user: in the list of peers, and as reasons for what is missing. */
async function told({ mesh, id, hostileId }: Siege) {
  const peer = mesh
    .store(VICTIM, id)
    .peers()
    .find(({ publicKey }) => toHex(publicKey) === hostileId)
  const findings = await mesh.complete(mesh.node(VICTIM).why({ peer: hostileId }))
  // What is said of its replica of the store is another matter.
  const codes = findings
    .map(({ code }) => code)
    .filter((code) => /^peer_(?:muted|unserved|scored|held_back)$/u.test(code))
  return { standing: peer?.conduct?.standing, codes }
}

/** Makes it a neighbour in the circle of the store, with a gossip stream. */
async function joinCircle({ mesh, raw, id }: Siege): Promise<{ readonly stream: RawStream; readonly topic: Topic }> {
  const topic = gossipTopic(await openCrypto({ backend: 'wasm' }), id, mesh.store(0, id).kernel().digest().epochHeads)
  const stream = await mesh.complete(raw.open(net.Protocol.GOSSIP))
  await mesh.complete(stream.write({ case: 'membership', value: { topic, kind: net.MembershipKind.NEIGHBOR_HIGH } }))
  await mesh.complete(stream.answers(2))
  return { stream, topic }
}

describe('a peer that takes part and floods a node with', () => {
  test('announced ids, and grafts, of nothing is slowed down to what a bucket lets through, and is no misdeed', async () => {
    const siege = await besiege('announced')
    const { mesh, raw, id } = siege
    const { stream, topic } = await joinCircle(siege)
    const startedMs = nowMs(siege)
    const announcing = startFlood(mesh, () =>
      stream.write({
        case: 'ihave',
        value: { topic, storeId: id, ids: strangeIds(IHAVE_IDS_MAX), rounds: rounds(IHAVE_IDS_MAX) },
      }),
    )
    await expectService(siege)
    await mesh.time.pass(1_000)
    await expectService(siege)
    await announcing.stop()
    expect((await told(siege)).codes).toEqual(['peer_held_back'])
    // Each is answered: what was taken in is no less than a full bucket holds, and no more than it lets through.
    const announced = (raw.count('noted') - 1) * IHAVE_IDS_MAX
    expect(announced).toBeGreaterThanOrEqual(PEER_ANNOUNCED_IDS.burst)
    expect(announced).toBeLessThanOrEqual(mostOf(PEER_ANNOUNCED_IDS, siege, startedMs) + IHAVE_IDS_MAX)
    // Grafts come out of the same bucket, which is empty.
    const grafting = startFlood(mesh, () =>
      stream.write({ case: 'graft', value: { topic, storeId: id, ids: strangeIds(GRAFT_IDS_MAX) } }),
    )
    await expectService(siege)
    await mesh.time.pass(1_000)
    await grafting.stop()
    const grafted = (raw.count('noted') - 1) * GRAFT_IDS_MAX - announced / (IHAVE_IDS_MAX / GRAFT_IDS_MAX)
    expect(grafted).toBeGreaterThan(0)
    expect(announced + grafted).toBeLessThanOrEqual(mostOf(PEER_ANNOUNCED_IDS, siege, startedMs) + IHAVE_IDS_MAX)
    // Of all that nobody has came a session or two, and no request for any of it but by the stream of gossip.
    expect(raw.asked(net.Protocol.RECONCILE)).toBeLessThanOrEqual(2)
    expect(raw.asked(net.Protocol.FETCH)).toBe(0)
    expect(siege.misdeeds).toEqual([])
    expect(raw.isConnected()).toBe(true)
  })

  test('sessions that it opens and leaves is accepted no faster than a bucket lets through, and is no misdeed', async () => {
    const siege = await besiege('sessions')
    const { mesh, raw, id } = siege
    const startedMs = nowMs(siege)
    const opening = startFlood(
      mesh,
      async () => {
        const stream = await raw.open(net.Protocol.RECONCILE)
        await stream.write({ case: 'hello', value: { storeId: id, witnessCount: 4n, fingerprint: new Uint8Array(32) } })
        await stream.answers(2)
        stream.reset()
      },
      LANES,
    )
    await expectService(siege)
    await mesh.time.pass(1_000)
    await expectService(siege)
    await opening.stop()
    const opened = raw.count('accepted')
    expect(opened).toBeGreaterThanOrEqual(PEER_SESSIONS.burst)
    expect(opened).toBeLessThanOrEqual(mostOf(PEER_SESSIONS, siege, startedMs) + LANES)
    // One at a time is served; of the others each is told so at once.
    expect(raw.count('hello') + raw.count('refused BUSY')).toBe(opened)
    expect(siege.misdeeds).toEqual([])
    expect(raw.isConnected()).toBe(true)
  })

  test('digest exchanges is refused, muted, and shut out for longer each time, until time has passed', async () => {
    const siege = await besiege('digests')
    const { mesh, raw, misdeeds } = siege
    const say = async (protocol: net.Protocol, frames: readonly FrameInit[]): Promise<void> => {
      const stream = await raw.open(protocol)
      for (const frame of frames) await stream.write(frame)
      await stream.answers(frames.length + 1)
      stream.reset()
    }
    const exchange = (): Promise<void> =>
      say(net.Protocol.DIGEST, [{ case: 'digests', value: { nonce: new Uint8Array(16), stores: [], addresses: [] } }])
    const answered = {
      burst: PEER_DIGESTS.burst / DIGEST_EXCHANGE_COST,
      perSecond: PEER_DIGESTS.perSecond / DIGEST_EXCHANGE_COST,
    }
    const startedMs = nowMs(siege)
    const muteAfter = MUTE_SCORE / MISDEED_POINTS.overuse

    // One after the other: so many are answered, the next refused, and after some of these nothing is served at all.
    while (raw.count('refused BUSY') === 0) await mesh.complete(exchange())
    expect(raw.count('digests')).toBeGreaterThanOrEqual(answered.burst)
    expect(raw.count('digests')).toBeLessThanOrEqual(mostOf(answered, siege, startedMs))
    // A part of each point is forgiven by the time of the next.
    expect([muteAfter, muteAfter + 1]).toContain(raw.count('refused LIMIT_EXCEEDED'))
    await expectService(siege)
    // Whoever asks is told.
    expect(await told(siege)).toEqual({ standing: 'muted', codes: ['peer_unserved'] })
    // It keeps its connection, and is served again once a part of its score is forgiven.
    await mesh.time.pass(SERVED_AGAIN_MS)
    await mesh.complete(say(net.Protocol.PING, []))
    expect(raw.count('refused BUSY')).toBe(1)
    expect(raw.isConnected()).toBe(true)
    expect(await told(siege)).toEqual({ standing: 'good', codes: ['peer_scored'] })

    // Whoever goes on loses the connection, and is let in again after a time that doubles.
    for (const outMs of [DEFAULT_LIMITS.muteMs, 2 * DEFAULT_LIMITS.muteMs]) {
      const asking = startFlood(mesh, exchange, LANES)
      await expectService(siege)
      await mesh.run(() => !raw.isConnected(), 'it is shut out', 10_000)
      await asking.stop()
      expect(await told(siege)).toMatchObject({ standing: 'shut_out', codes: expect.arrayContaining(['peer_muted']) })
      const sinceMs = nowMs(siege)
      await comeBack(siege)
      expect(nowMs(siege) - sinceMs).toBeGreaterThan(outMs - RETRY_MS)
      expect(nowMs(siege) - sinceMs).toBeLessThan(outMs + 2 * RETRY_MS)
      await expectService(siege)
    }
    expect(misdeeds.map(({ code }) => code)).toContain('overuse_digests')
    expectOnlyHostileScored(siege)
  })

  test('all of it at once leaves nothing behind: the node that comes back in its place is as welcome as before', async () => {
    const siege = await besiege('all')
    const { mesh, raw, id } = siege
    const { stream, topic } = await joinCircle(siege)
    const wholes: readonly (readonly [net.Protocol, FrameInit])[] = [
      [net.Protocol.DIGEST, { case: 'digests', value: { nonce: new Uint8Array(16), stores: [], addresses: [] } }],
      [net.Protocol.RECONCILE, { case: 'hello', value: { storeId: id, witnessCount: 4n, fingerprint: id } }],
      [net.Protocol.GOSSIP, { case: 'ihave', value: { topic, storeId: id, ids: strangeIds(9), rounds: rounds(9) } }],
      [net.Protocol.GOSSIP, { case: 'graft', value: { topic, storeId: id, ids: strangeIds(9) } }],
      [net.Protocol.BOOTSTRAP, { case: 'witnessPageRequest', value: { storeId: id, fromSeq: 1n, limit: 4096 } }],
      [net.Protocol.FETCH, { case: 'fetchIntentions', value: { storeId: id, ids: strangeIds(1024) } }],
      [net.Protocol.JOIN, { case: 'joinRequest', value: { storeId: id, secret: id, name: '', addresses: [] } }],
    ]
    let turn = 0
    const anything = async (): Promise<void> => {
      const [protocol, frame] = wholes[(turn += 1) % wholes.length] ?? raise()
      const opened = await raw.open(protocol)
      await opened.write(frame)
      await opened.answers(2)
      opened.reset()
    }
    const flood = startFlood(mesh, () => anything().catch(() => undefined), LANES)
    await expectService(siege)
    await mesh.time.pass(500)
    await expectService(siege)
    await flood.stop()
    // What breaks the protocol ends all that it has under way.
    await mesh.complete(stream.write({ case: 'done', value: { witnessCount: 1n, fingerprint: id } }))
    await mesh.complete(stream.answers(3))
    expect(siege.misdeeds.map(({ code }) => code)).toEqual(['unexpected_done'])
    await mesh.run(() => !raw.isConnected(), 'it is shut out', 2 * DEFAULT_LIMITS.lingerMs)
    await mesh.complete(raw.close())
    expectOnlyHostileScored(siege)
    const before = siege.misdeeds.length
    await mesh.start(HOSTILE)
    await expectService(siege)
    await mesh.run(() => mesh.isConverged(id), 'all are in step', DEFAULT_LIMITS.muteMs)
    await mesh.time.pass(2 * DEFAULT_LIMITS.muteMs)
    expect(siege.misdeeds.length).toBe(before)
    expect((await mesh.complete(mesh.node(VICTIM).why())).filter(({ code }) => code !== 'disk_low')).toEqual([])
  })
})
