/**
 * What a discovery finds, what it tells, and when it is over.
 *
 * That something is not told is seen by what is told after it: an adapter keeps no order between peers on the way, so
 * each such case has the peer that must not be told of announce first.
 *
 * @module
 */
import { assert, createAbortController, equalBytes, isLagged, type PublicKey } from '@lattice/model'
import { type Discovery, type DiscoveryEvent, MAX_FOUND_ADDRESSES } from '../discovery.ts'
import type { DiscoveryHarness } from './discovery-harness.ts'
import { noAbort } from './mesh.ts'

/** A rule and its check against freshly opened discoveries. */
export interface DiscoveryCase {
  readonly name: string
  readonly run: (lan: Lan) => Promise<void>
}

/** The discoveries of one case. */
export interface Lan extends Pick<DiscoveryHarness, 'peer' | 'addresses'> {
  readonly open: (index: number) => Promise<Discovery>
}

type EventIterator = AsyncIterator<DiscoveryEvent>

function eventsOf(discovery: Discovery): EventIterator {
  return onlyEvents(discovery.events(noAbort()))[Symbol.asyncIterator]()
}

async function* onlyEvents(source: ReturnType<Discovery['events']>): AsyncIterable<DiscoveryEvent> {
  for await (const event of source) {
    assert(!isLagged(event), 'a subscriber that reads does not lag')
    yield event
  }
}

async function nextEvent(events: EventIterator): Promise<DiscoveryEvent> {
  const next = await events.next()
  assert(next.done !== true, 'something is told')
  return next.value
}

/** Reads on until the peer is found with exactly these addresses; what is told of it before may be older. */
async function untilFound(events: EventIterator, peer: PublicKey, addresses: readonly string[]): Promise<void> {
  const wanted = [...addresses].sort().join(' ')
  for (;;) {
    const event = await nextEvent(events)
    assert(equalBytes(event.peer, peer), 'only who is looked for is told of')
    if (event.kind === 'found' && [...event.addresses].sort().join(' ') === wanted) return
  }
}

async function untilGone(events: EventIterator, peer: PublicKey): Promise<void> {
  for (;;) {
    const event = await nextEvent(events)
    if (event.kind === 'gone' && equalBytes(event.peer, peer)) return
  }
}

/** Two nodes of which the first is read and the second is looked for. */
async function seekerAndSought(lan: Lan): Promise<{
  readonly seeker: Discovery
  readonly sought: Discovery
  readonly events: EventIterator
}> {
  const [seeker, sought] = [await lan.open(0), await lan.open(1)]
  return { seeker, sought, events: eventsOf(seeker) }
}

export const discoveryCases: readonly DiscoveryCase[] = [
  {
    name: 'a peer that has announced itself is found by who looks for it later',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      sought.announce(lan.addresses(1))
      seeker.find(lan.peer(1), noAbort())
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'a peer that is looked for is found as it announces itself',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      seeker.find(lan.peer(1), noAbort())
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'addresses that changed replace those before',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      const [before, after] = lan.addresses(1)
      seeker.find(lan.peer(1), noAbort())
      sought.announce([before])
      await untilFound(events, lan.peer(1), [before])
      sought.announce([after])
      await untilFound(events, lan.peer(1), [after])
    },
  },
  {
    name: 'a peer that nobody looks for is not told of',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      const stranger = await lan.open(2)
      seeker.find(lan.peer(1), noAbort())
      stranger.announce(lan.addresses(2))
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'a peer is told of no more once the search is aborted',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      const other = await lan.open(2)
      const search = createAbortController()
      seeker.find(lan.peer(2), search.signal)
      search.abort(new Error('found enough'))
      seeker.find(lan.peer(1), noAbort())
      other.announce(lan.addresses(2))
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'a search that is aborted leaves another of the same peer alone',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      const search = createAbortController()
      seeker.find(lan.peer(1), noAbort())
      seeker.find(lan.peer(1), search.signal)
      search.abort(new Error('found enough'))
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'to look for a peer again tells of it again',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      sought.announce(lan.addresses(1))
      const search = createAbortController()
      seeker.find(lan.peer(1), search.signal)
      await untilFound(events, lan.peer(1), lan.addresses(1))
      search.abort(new Error('found'))
      seeker.find(lan.peer(1), noAbort())
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'a node does not find itself',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      seeker.find(lan.peer(0), noAbort())
      seeker.find(lan.peer(1), noAbort())
      seeker.announce(lan.addresses(0))
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'a peer that announces nothing any more is gone',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      seeker.find(lan.peer(1), noAbort())
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
      sought.announce([])
      await untilGone(events, lan.peer(1))
    },
  },
  {
    name: 'a peer that closes is gone, and is found when it opens again',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      seeker.find(lan.peer(1), noAbort())
      sought.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
      await sought.close()
      await untilGone(events, lan.peer(1))
      const again = await lan.open(1)
      again.announce(lan.addresses(1))
      await untilFound(events, lan.peer(1), lan.addresses(1))
    },
  },
  {
    name: 'no more addresses of a peer are told than may be',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      const many = Array.from({ length: 4 * MAX_FOUND_ADDRESSES }, (_, at) => `${lan.addresses(1)[0]}${at}`)
      seeker.find(lan.peer(1), noAbort())
      sought.announce(many)
      const event = await nextEvent(events)
      assert(event.kind === 'found', 'it is found all the same')
      assert(event.addresses.length > 0, 'with some addresses')
      assert(event.addresses.length <= MAX_FOUND_ADDRESSES, 'and no more than may be')
      assert(
        event.addresses.every((address) => many.includes(address)),
        'that it announced',
      )
    },
  },
  {
    name: 'close is idempotent, ends the events, and nothing starts after it',
    run: async (lan) => {
      const { seeker, sought, events } = await seekerAndSought(lan)
      sought.announce(lan.addresses(1))
      const next = events.next()
      await Promise.all([seeker.close(), seeker.close()])
      assert((await next).done === true, 'the events end')
      seeker.announce(lan.addresses(0))
      seeker.find(lan.peer(1), noAbort())
      assert((await eventsOf(seeker).next()).done === true, 'there are none any more')
      await seeker.close()
    },
  },
]
