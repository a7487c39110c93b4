/**
 * Gossip at scale in virtual time, for tests and benchmarks.
 *
 * @module
 */
export { GossipSwarm, type SwarmOptions, type SwarmView } from './testing/gossip-swarm.ts'
export type { SwarmMessage, SwarmPayload, Taken } from './testing/swarm-node.ts'
export { since, type TrafficCounts } from './testing/swarm-traffic.ts'
