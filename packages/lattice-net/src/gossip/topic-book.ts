/**
 * Which topic each circle of peers has now, and on which of its earlier ones this node still listens.
 *
 * With each epoch the topic is another. Peers come to know of an epoch one after the other, so until all who have to have
 * seen it, what still comes by the topic before is taken in as well. Who was removed is in neither.
 *
 * @module
 */
import { type IdKey, idKey, type StoreId } from '@lattice/model'
import { MAX_PAST_TOPICS } from '../limits.ts'
import type { GossipCircle } from './gossip-circle.ts'
import type { Topic } from './gossip-topic.ts'

export interface TopicBookDeps {
  /** The topic of a circle by the epochs that are here. */
  readonly topicOf: (owner: StoreId) => Topic
  /** True when everybody has seen those who has to. */
  readonly isSettled: (owner: StoreId) => boolean
  readonly open: (topic: Topic, keepsConnected: boolean) => GossipCircle
}

export interface TopicBook {
  /** The circle of this store's peers; on the topic that was the present one when it was last reviewed. */
  readonly open: (owner: StoreId, keepsConnected: boolean) => GossipCircle
  /** The owner witnessed something. What its circle became where the topic is another now. */
  readonly review: (owner: StoreId) => { readonly before: GossipCircle; readonly after: GossipCircle } | undefined
  readonly present: (owner: StoreId) => GossipCircle | undefined
  /** Those that only listen, the oldest first. */
  readonly past: (owner: StoreId) => readonly GossipCircle[]
  readonly find: (topic: Topic) => GossipCircle | undefined
  /** Present and earlier ones. */
  readonly all: () => readonly GossipCircle[]
  /** Ends every circle that is not of one of these. */
  readonly keepOnly: (owners: ReadonlySet<IdKey>) => void
  readonly end: (owner: StoreId) => void
}

interface Entry {
  readonly owner: StoreId
  /** Of circles that are opened from now on. */
  keepsConnected: boolean
  current: GossipCircle
  /** The oldest first. */
  past: GossipCircle[]
}

/** Starts empty. */
export function createTopicBook(deps: TopicBookDeps): TopicBook {
  const entries = new Map<IdKey, Entry>()
  const byTopic = new Map<IdKey, GossipCircle>()
  const circlesOf = ({ current, past }: Entry): readonly GossipCircle[] => [current, ...past]

  function begin(topic: Topic, keepsConnected: boolean): GossipCircle {
    const circle = deps.open(topic, keepsConnected)
    byTopic.set(idKey(topic), circle)
    return circle
  }
  function close(circle: GossipCircle): void {
    byTopic.delete(idKey(circle.topic))
    circle.close()
  }
  function settle(entry: Entry): void {
    if (entry.past.length === 0 || !deps.isSettled(entry.owner)) return
    for (const circle of entry.past.splice(0)) close(circle)
  }
  /** Goes over to the present topic, where that is another. */
  function follow(entry: Entry): void {
    const topic = deps.topicOf(entry.owner)
    if (idKey(topic) !== idKey(entry.current.topic)) {
      const before = entry.current
      // Heads may go back, where an epoch turns out to be void: its circle serves again as a new one.
      entry.past = entry.past.filter((circle) => {
        const isSame = idKey(circle.topic) === idKey(topic)
        if (isSame) close(circle)
        return !isSame
      })
      entry.current = begin(topic, entry.keepsConnected)
      before.listen()
      entry.past.push(before)
      for (const circle of entry.past.splice(0, Math.max(0, entry.past.length - MAX_PAST_TOPICS))) close(circle)
    }
    settle(entry)
  }
  function remove(key: IdKey, entry: Entry): void {
    for (const circle of circlesOf(entry)) close(circle)
    entries.delete(key)
  }

  return {
    open: (owner, keepsConnected) => {
      const known = entries.get(idKey(owner))
      if (known !== undefined) {
        known.keepsConnected ||= keepsConnected
        return known.current
      }
      const current = begin(deps.topicOf(owner), keepsConnected)
      entries.set(idKey(owner), { owner, keepsConnected, current, past: [] })
      return current
    },
    review: (owner) => {
      const entry = entries.get(idKey(owner))
      if (entry === undefined) return undefined
      const before = entry.current
      follow(entry)
      return entry.current === before ? undefined : { before, after: entry.current }
    },
    present: (owner) => entries.get(idKey(owner))?.current,
    past: (owner) => entries.get(idKey(owner))?.past ?? [],
    find: (topic) => byTopic.get(idKey(topic)),
    all: () => [...byTopic.values()],
    keepOnly: (owners) => {
      for (const [key, entry] of entries) if (!owners.has(key)) remove(key, entry)
    },
    end: (owner) => {
      const entry = entries.get(idKey(owner))
      if (entry !== undefined) remove(idKey(owner), entry)
    },
  }
}
