/**
 * Addresses that lead back to the host that reads them: from the LAN they are a mistake, or a try to have a node knock at
 * services of its own host.
 *
 * Pure.
 *
 * @module
 */

const NUMERIC_V4 = /(?:^|[^\w.])(?:127(?:\.\d{1,3}){3}|0\.0\.0\.0|localhost)(?![\w.])/iu
const BRACKETED_V6 = /\[(?:[0:]*:0*1?|[0:]*:ffff:(?:127\.[\d.]+|0\.0\.0\.0|7f[0-9a-f]{2}:[0-9a-f]{1,4}|0:0))\]/iu

/** Whether an address, in whatever notation, names the host itself. */
export function namesThisHost(address: string): boolean {
  return NUMERIC_V4.test(address) || BRACKETED_V6.test(address)
}

/** Whether a packet came from this host by loopback. */
export function isLoopbackSource(source: string): boolean {
  return source.startsWith('127.')
}
