export { type Conditions, type LatencyRange, REPEATED_WITHIN_MS } from './conditions.ts'
export type { SimEvent } from './sim-event.ts'
export { MAX_OPEN_STREAMS } from './sim-link.ts'
export {
  CONNECT_TIMEOUT_MS,
  createSimNetwork,
  IDLE_TIMEOUT_MS,
  type SimNetwork,
  type SimNetworkOptions,
  STREAM_WINDOW_BYTES,
} from './sim-network.ts'
export { MAX_INCOMING, simAddress } from './sim-node.ts'
export { createTraceHash, type TraceHash } from './trace-hash.ts'
export type { FaultCounts, Traffic } from './traffic.ts'
