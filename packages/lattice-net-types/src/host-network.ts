/**
 * The machine's own place in networks, as its system tells it.
 *
 * @module
 */

export interface HostNetwork {
  /**
   * Addresses of the interfaces that lead elsewhere, in any order. Read often, so cheap; only compared, so their notation
   * is free.
   */
  readonly addresses: () => readonly string[]
}
