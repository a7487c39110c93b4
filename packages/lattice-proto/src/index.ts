/**
 * Every message of the wire and of storage, with its generated codec.
 *
 * The schema files are the definition; nothing here is written by hand. Names
 * that several schemas share are reached through the namespace of their schema.
 *
 * @module
 */
export * as daemon from './gen/lattice/daemon/v1/daemon_pb.ts'
export * as kv from './gen/lattice/kv/v1/kv_pb.ts'
export * as kvtable from './gen/lattice/kvtable/v1/kvtable_pb.ts'
export * as log from './gen/lattice/log/v1/log_pb.ts'
export * as net from './gen/lattice/net/v1/net_pb.ts'
export * as node from './gen/lattice/node/v1/token_pb.ts'
export * as root from './gen/lattice/root/v1/root_pb.ts'
export * as system from './gen/lattice/system/v1/system_pb.ts'
export * as weaver from './gen/lattice/weaver/v1/weaver_pb.ts'
