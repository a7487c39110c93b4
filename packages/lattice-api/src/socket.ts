/**
 * Tells a live Unix socket from one that a killed process left behind.
 *
 * @module
 */
import { connect } from 'node:net'

/** True when a process accepts connections on the socket. */
export function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}
