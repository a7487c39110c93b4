import { net } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PeerRefused } from '../src/errors.ts'
import type { Frame } from '../src/frame.ts'
import { acceptOpening, withOpening } from '../src/opening.ts'
import { finish, send, type SessionMachine, unexpected } from '../src/session.ts'
import { commonVersion, type VersionRange, versionsOf } from '../src/versions.ts'
import { converse, feed } from './drive.ts'

const protocol = net.Protocol.RECONCILE

/** Says one thing and hears one. */
const talker: SessionMachine<string> = {
  start: () => [send({ case: 'ingested', value: { count: 1 } })],
  receive: (frame) => (frame.case === 'ingested' ? [finish('heard')] : [unexpected(frame)]),
  answered: () => [],
}

/** Two sides with ranges of their own; the version that each was told. */
async function meet(mine: VersionRange, theirs: VersionRange) {
  const told: { a?: number; b?: number } = {}
  const opening = withOpening(talker, {
    protocol,
    versions: mine,
    wallMs: 1,
    onPeerWall: () => undefined,
    onVersion: (version) => {
      told.a = version
    },
  })
  const answering = acceptOpening<string>({
    wallMs: 2,
    onPeerWall: () => undefined,
    versionsOf: (asked) => (asked === protocol ? theirs : undefined),
    select: (_, version) => {
      told.b = version
      return talker
    },
  })
  return { ...(await converse(opening, answering)), told }
}

const ranges = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 3 }))
  .map(([min, more]): VersionRange => ({ min, max: min + more }))

describe('versions', () => {
  test('the highest that both speak is agreed on, or the session is refused with what is spoken', async () => {
    await fc.assert(
      fc.asyncProperty(ranges, ranges, async (mine, theirs) => {
        const spoken = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter(
          (version) => version >= Math.max(mine.min, theirs.min) && version <= Math.min(mine.max, theirs.max),
        )
        const best = spoken.at(-1)
        expect(commonVersion(mine, theirs)).toBe(best)
        const { a, b, told } = await meet(mine, theirs)
        if (best === undefined) {
          expect(b.failure).toMatchObject({ kind: 'refuse', refusal: net.RefusalCode.VERSION_UNSUPPORTED })
          expect(told).toEqual({})
        } else {
          expect(told).toEqual({ a: best, b: best })
          expect([a.outcome, b.outcome]).toEqual(['heard', 'heard'])
        }
      }),
    )
  })

  test('a refusal names the versions of both sides, and becomes an error that says so', async () => {
    const { b } = await meet({ min: 4, max: 5 }, { min: 1, max: 3 })
    const message = 'protocol 2 is spoken here in version 1 to 3, not 4 to 5'
    expect(b.failure).toMatchObject({ message })
    const error = new PeerRefused(net.RefusalCode.VERSION_UNSUPPORTED, message)
    expect(error).toMatchObject({ code: 'VERSION_UNSUPPORTED', message: `the peer refused: ${message}` })
  })

  const frameAfter = (frames: readonly Frame[]): readonly string[] => frames.map((frame) => frame.case)

  test('a side of one version sends ahead, one of several waits for the answer', async () => {
    const single = withOpening(talker, {
      protocol,
      versions: { min: 2, max: 2 },
      wallMs: 1,
      onPeerWall: () => undefined,
    })
    expect(frameAfter((await feed(single, [])).sent)).toEqual(['open', 'ingested'])
    const several = withOpening(talker, {
      protocol,
      versions: { min: 1, max: 2 },
      wallMs: 1,
      onPeerWall: () => undefined,
    })
    const accepted = { case: 'accepted', value: { version: 1 } } as const
    expect(frameAfter((await feed(several, [accepted])).sent)).toEqual(['open', 'ingested'])
    const { sent } = await feed(
      withOpening(talker, { protocol, versions: { min: 1, max: 2 }, wallMs: 1, onPeerWall: () => undefined }),
      [],
    )
    expect(frameAfter(sent)).toEqual(['open'])
  })

  test.each([0, 1, 4, 2 ** 32 - 1])(
    'an answer in version %d, which was not offered, ends the session',
    async (version) => {
      const machine = withOpening(talker, {
        protocol,
        versions: { min: 2, max: 3 },
        wallMs: 1,
        onPeerWall: () => undefined,
      })
      const { failure } = await feed(machine, [{ case: 'accepted', value: { version } }])
      expect(failure).toMatchObject({ why: 'accepted_another_version' })
    },
  )

  const answering = () => acceptOpening<string>({ wallMs: 2, onPeerWall: () => undefined, select: () => talker })

  test.each([
    ['upside down', { version: 1, versionMin: 2 }],
    ['of nothing', { version: 0 }],
  ])('a range %s ends the session', async (_, range) => {
    const { failure } = await feed(answering(), [{ case: 'open', value: { protocol, ...range } }])
    expect(failure).toMatchObject({ why: 'version_range_malformed' })
  })

  test('an Open without a lowest version speaks the highest alone', async () => {
    const first = { case: 'open', value: { protocol, version: 1 } } as const
    expect((await feed(answering(), [first])).sent[0]).toMatchObject({ case: 'accepted', value: { version: 1 } })
    const later = { case: 'open', value: { protocol, version: 3 } } as const
    expect((await feed(answering(), [later])).failure).toMatchObject({
      refusal: net.RefusalCode.VERSION_UNSUPPORTED,
      message: 'protocol 2 is spoken here in version 1 to 2, not 3',
    })
  })

  test('every protocol has versions, and a number that names none is refused with a reason', async () => {
    const numbers = Object.values(net.Protocol).filter(
      (value) => typeof value === 'number' && value !== net.Protocol.UNSPECIFIED,
    )
    for (const number of numbers) expect(versionsOf(Number(number))?.min).toBeGreaterThanOrEqual(1)
    for (const unknown of [0, 99, 2 ** 31 - 1]) {
      const open = { case: 'open', value: { protocol: unknown as net.Protocol, version: 1 } } as const
      expect((await feed(answering(), [open])).failure).toMatchObject({
        refusal: net.RefusalCode.PROTOCOL_UNKNOWN,
        message: `protocol ${unknown} is not spoken here`,
      })
    }
  })
})
