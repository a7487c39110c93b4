/**
 * Where an endpoint that listens on every interface is reached: at the addresses the interfaces have now.
 *
 * The native side looks at the interfaces now and then, and may learn only half a minute later that the host has moved. What
 * it knows beside, from relays and port mappings, stays; so does what is no longer so, until it has looked: an address is
 * a hint.
 *
 * @module
 */
import { networkInterfaces } from 'node:os'

const ANY_V4 = '0.0.0.0:'
const ANY_V6 = '[::]:'

/** The sockets of the interfaces first, then what is in `direct` beside; as `direct` when only one interface is listened on. */
export function withInterfaces(
  direct: readonly string[],
  bound: readonly string[],
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): readonly string[] {
  const outer = Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ internal, address }) => !internal && !isLinkLocal(address))
  const own = bound.flatMap((socket) => {
    const port = socket.slice(socket.lastIndexOf(':') + 1)
    const at = (family: string): readonly string[] =>
      outer.filter((each) => each.family === family).map(({ address }) => address)
    if (socket.startsWith(ANY_V4)) return at('IPv4').map((address) => `${address}:${port}`)
    if (socket.startsWith(ANY_V6)) return at('IPv6').map((address) => `[${address}]:${port}`)
    return []
  })
  return [...new Set([...own, ...direct])]
}

/** Such an address means something else on each link. */
function isLinkLocal(address: string): boolean {
  return address.toLowerCase().startsWith('fe80:') || address.startsWith('169.254.')
}
