/**
 * The two messages of the LAN as multicast DNS packets (RFC 6762, RFC 6763): a question for everybody, and where one node is.
 *
 * An announcement is a PTR record of the service and a TXT record of the node, which holds its addresses in the notations
 * of the transports. There is no SRV record: the addresses say more than a host and a port could. A question names in its
 * answers whoever need not answer, which is the node that asks.
 *
 * Packets are refused by their length and by their counts before anything is read, so what one costs is bounded: at most
 * `MAX_RECORDS` names, each within 1500 bytes. Pure but for the buffers of the codec.
 *
 * @module
 */
import { type PublicKey, utf8Decode } from '@lattice/model'
import { MAX_FOUND_ADDRESSES } from '@lattice/net-types'
import { type Answer, AUTHORITATIVE_ANSWER, decode, type DecodedPacket, encode, type Packet } from 'dns-packet'
import { instanceName, isServiceName, parseInstanceName, SERVICE_NAME } from './instance-name.ts'

/**
 * Longest packet that is read, the payload of a frame of Ethernet: longer ones would be fragments.
 * @beyond The packet is dropped.
 */
export const MAX_PACKET_BYTES = 1500
/**
 * Records of a packet that is read: ours have four at most, other responders' on the same port more.
 * @beyond The packet is dropped.
 */
export const MAX_RECORDS = 16
/** How long an announcement holds without another, as RFC 6762 has it for what changes with an address. */
export const TTL_S = 120
/**
 * Bytes of addresses in one announcement: with names and headers it fits a packet on any link.
 * @beyond The address is left out; shorter ones that follow may still fit.
 */
const MAX_TEXT_BYTES = 1000
/**
 * Bytes of one string of a TXT record.
 * @beyond The address is left out.
 */
const MAX_STRING_BYTES = 255

const HEADER_BYTES = 12
/** First in the TXT record; one of another version is nobody that can be understood. */
const VERSION_STRING = 'v=1'
const ADDRESS_STRING = /^a\d{1,2}=(?<address>[\u0021-\u007e]+)$/u
const PLAIN = /^[\u0021-\u007e]+$/u

export type LanMessage =
  | { readonly kind: 'query'; /** Whoever need not answer. */ readonly known: readonly PublicKey[] }
  | {
      readonly kind: 'announcement'
      readonly peer: PublicKey
      /** Empty with a goodbye alone. */
      readonly addresses: readonly string[]
      /** Seconds it holds; 0 for a goodbye. */
      readonly ttlS: number
    }

/** Asks who is there; a node that is announced itself says so, and is not answered for. */
export function encodeQuery(self: PublicKey | undefined): Uint8Array {
  const known = self === undefined ? [] : [pointerTo(self, TTL_S)]
  return toBytes({ type: 'query', questions: [{ name: SERVICE_NAME, type: 'PTR', class: 'IN' }], answers: known })
}

/** Addresses that do not fit are left out; see {@link fittingAddresses}. */
export function encodeAnnouncement(peer: PublicKey, addresses: readonly string[], ttlS: number = TTL_S): Uint8Array {
  const strings = fittingAddresses(addresses).map((address, place) => `a${place}=${address}`)
  const text: Answer = {
    name: instanceName(peer),
    type: 'TXT',
    class: 'IN',
    ttl: ttlS,
    flush: true,
    data: [VERSION_STRING, ...strings],
  }
  return toBytes({ type: 'response', flags: AUTHORITATIVE_ANSWER, answers: [pointerTo(peer, ttlS), text] })
}

export function encodeGoodbye(peer: PublicKey): Uint8Array {
  return encodeAnnouncement(peer, [], 0)
}

/** The first that fit an announcement, of those that are printable ASCII, which all notations are. */
export function fittingAddresses(addresses: readonly string[]): readonly string[] {
  let left = MAX_TEXT_BYTES
  const fitting: string[] = []
  for (const address of addresses) {
    const bytes = `a00=${address}`.length + 1
    if (!PLAIN.test(address) || bytes > Math.min(left, MAX_STRING_BYTES) || fitting.length === MAX_FOUND_ADDRESSES)
      continue
    fitting.push(address)
    left -= bytes
  }
  return fitting
}

/** Undefined for what is none of the two, whole or sound. */
export function decodeMessage(bytes: Uint8Array): LanMessage | undefined {
  const packet = decodePacket(bytes)
  if (packet === undefined || packet.opcode !== 'QUERY' || packet.rcode !== 'NOERROR') return undefined
  return packet.type === 'query' ? toQuery(packet) : toAnnouncement(packet)
}

function decodePacket(
  bytes: Uint8Array,
): (DecodedPacket & { readonly opcode?: string; readonly rcode?: string }) | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_PACKET_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records = [4, 6, 8, 10].reduce((sum, offset) => sum + view.getUint16(offset), 0)
  if (records === 0 || records > MAX_RECORDS) return undefined
  try {
    const packet = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    // The codec reads a record that ends beyond the packet as if it had been cut on purpose.
    return decode.bytes > bytes.length ? undefined : packet
  } catch {
    // Cut short, or made to mislead.
    return undefined
  }
}

function toQuery({ questions = [], answers = [] }: DecodedPacket): LanMessage | undefined {
  const isAsked = questions.some(({ name, type }) => isServiceName(name) && type === 'PTR')
  if (!isAsked) return undefined
  const known = answers.flatMap((answer) =>
    answer.type === 'PTR' && isServiceName(answer.name) ? (parseInstanceName(answer.data) ?? []) : [],
  )
  return { kind: 'query', known }
}

function toAnnouncement({ answers = [], additionals = [] }: DecodedPacket): LanMessage | undefined {
  for (const record of [...answers, ...additionals]) {
    const peer = record.type === 'TXT' ? parseInstanceName(record.name) : undefined
    if (record.type !== 'TXT' || peer === undefined) continue
    const addresses = readAddresses(record.data)
    const ttlS = Math.min(record.ttl ?? 0, TTL_S)
    if (ttlS > 0 && addresses.length === 0) return undefined
    return { kind: 'announcement', peer, addresses, ttlS }
  }
  return undefined
}

function readAddresses(data: unknown): readonly string[] {
  const parts: readonly unknown[] = Array.isArray(data) ? data : []
  const [version, ...strings] = parts.map((part) => (part instanceof Uint8Array ? (utf8Decode(part) ?? '') : ''))
  const addresses = new Set<string>()
  if (version !== VERSION_STRING) return []
  for (const text of strings) {
    if (addresses.size === MAX_FOUND_ADDRESSES) break
    const address = ADDRESS_STRING.exec(text)?.groups?.['address']
    if (address !== undefined) addresses.add(address)
  }
  return [...addresses]
}

function pointerTo(peer: PublicKey, ttlS: number): Answer {
  return { name: SERVICE_NAME, type: 'PTR', class: 'IN', ttl: ttlS, data: instanceName(peer) }
}

function toBytes(packet: Packet): Uint8Array {
  return new Uint8Array(encode({ id: 0, ...packet }))
}
