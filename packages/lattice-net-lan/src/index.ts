export { createLanDiscovery, type LanDiscoveryOptions } from './lan-discovery.ts'
export type { LanWire, OpenLanWire, WireListener } from './lan-wire.ts'
export { type LanScope, scopeOf } from './links.ts'
export { type MulticastWireOptions, openMulticastWire } from './multicast-wire.ts'
