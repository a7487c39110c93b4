/**
 * Opens the native endpoint on the sockets asked for, and on no others.
 *
 * The native side listens on every interface of the address family that it was told nothing of. A bind address of one
 * interface therefore also pins the other family, to loopback.
 *
 * @module
 */
import { networkInterfaces } from 'node:os'
import type { Seed } from '@lattice/model'
import { BindFailed, parseSocketAddress } from '@lattice/net-types'
import { isLoopback } from './address.ts'
import { type Binding, describeFailure, type Endpoint, textToNumbers, toNumbers } from './native.ts'

/** What peers must speak; a peer that speaks nothing of it is not connected. */
export const ALPN: readonly number[] = textToNumbers('lattice/1')

export interface BindOptions {
  readonly secretSeed: Seed
  readonly bindAddress: string | undefined
  readonly relay: 'off' | 'default'
}

/** Rejects with {@link BindFailed}. */
export async function bindEndpoint(binding: Binding, options: BindOptions): Promise<Endpoint> {
  const { bindAddress } = options
  if (bindAddress === undefined) return bind(binding, options, [])
  const socket = parseSocketAddress(bindAddress)
  if (socket === undefined) throw new BindFailed(bindAddress, 'it is not an IP address with a port')
  if (socket.ip === '0.0.0.0' || socket.ip === '::') return bind(binding, options, [bindAddress])
  return bind(binding, options, [bindAddress, ...loopbackOf(socket.family === 4 ? 6 : 4)])
}

/** Nothing on a host that has not got the family, where nothing can be listened on either. */
function loopbackOf(family: 4 | 6): readonly string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const ip = family === 4 ? '127.0.0.1' : '::1'
  return addresses.some(({ address }) => address === ip) ? [family === 4 ? `${ip}:0` : `[${ip}]:0`] : []
}

async function bind(binding: Binding, options: BindOptions, sockets: readonly string[]): Promise<Endpoint> {
  const builder = binding.Endpoint.builder()
  if (options.relay === 'off') {
    // Nothing but the crypto: no relays, no lookup service, no packet to anybody who was not dialled.
    binding.presetMinimal(builder)
    builder.relayMode(binding.RelayMode.disabled())
  } else binding.presetN0(builder)
  builder.secretKey(toNumbers(options.secretSeed))
  builder.alpns([[...ALPN]])
  try {
    for (const socket of sockets) builder.bindAddr(socket)
    return await builder.bind()
  } catch (error) {
    throw new BindFailed(options.bindAddress ?? 'any address', describeFailure(error), { cause: error })
  }
}

/** Whether an address was asked for that only this machine reaches. */
export function bindsLoopback(bindAddress: string | undefined): boolean {
  return bindAddress !== undefined && isLoopback(bindAddress)
}
