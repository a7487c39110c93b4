// Says on stdout what it hears as the router and the resolver of a LAN: a line for each packet, by what it is for.
import { createSocket } from 'node:dgram'

const [address] = process.argv.slice(2)
const SERVICES = [
  { what: 'dns', port: 53 },
  { what: 'mdns', port: 5353, group: '224.0.0.251' },
  // What a QUIC endpoint asks a router of its LAN for: UPnP, and PCP with NAT-PMP.
  { what: 'ssdp', port: 1900, group: '239.255.255.250' },
  { what: 'portmap', port: 5351 },
  { what: 'marker', port: 7777 },
]

for (const { what, port, group } of SERVICES) {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  socket.on('message', (_, { address: from }) => process.stdout.write(`${what} ${from}\n`))
  await new Promise((resolve) => socket.bind(port, group === undefined ? address : undefined, resolve))
  if (group !== undefined) socket.addMembership(group, address)
}
process.stdout.write('ready\n')
