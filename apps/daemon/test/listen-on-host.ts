/**
 * A program that says what it hears as the router and the resolver of a LAN: a line on stdout for each packet, by what it
 * is for.
 *
 * @module
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

interface Service {
  readonly what: string
  readonly port: number
  readonly group?: string
}

const SERVICES: readonly Service[] = [
  { what: 'dns', port: 53 },
  { what: 'mdns', port: 5353, group: '224.0.0.251' },
  // What a QUIC endpoint asks a router of its LAN for: UPnP, and PCP with NAT-PMP.
  { what: 'ssdp', port: 1900, group: '239.255.255.250' },
  { what: 'portmap', port: 5351 },
  { what: 'marker', port: 7777 },
]

const [address = ''] = process.argv.slice(2)
for (const { what, port, group } of SERVICES) {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.on('message', (_, { address: from }) => process.stdout.write(`${what} ${from}\n`))
  socket.bind(port, group === undefined ? address : '0.0.0.0')
  await once(socket, 'listening')
  if (group !== undefined) socket.addMembership(group, address)
}
process.stdout.write('ready\n')
