/**
 * For tests and benchmarks: gossip at scale in virtual time, and what hostile peers are held to.
 *
 * @module
 */
export {
  DIGEST_EXCHANGE_COST,
  MUTE_SCORE,
  PEER_ANNOUNCED_IDS,
  PEER_DIGESTS,
  PEER_SESSIONS,
  SCORE_HALF_LIFE_MS,
} from './defence-limits.ts'
export { gossipTopic, type Topic } from './gossip/gossip-topic.ts'
export { GRAFT_IDS_MAX, IHAVE_IDS_MAX } from './limits.ts'
export { MISDEED_POINTS } from './peer-ledger.ts'
export { GossipSwarm, type SwarmOptions, type SwarmView } from './testing/gossip-swarm.ts'
export { type StoreQuestion, storeQuestions } from './testing/store-questions.ts'
export type { SwarmMessage, SwarmPayload, Taken } from './testing/swarm-node.ts'
export { since, type TrafficCounts } from './testing/swarm-traffic.ts'
export type { BucketRate } from './token-bucket.ts'
