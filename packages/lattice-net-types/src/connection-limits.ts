/**
 * The bounds of connections that transports and what stands above them have in common, each with its reason.
 *
 * Who stays connected is decided above, where it is known who is needed. So what a transport takes by itself lies above what
 * is kept: it turns somebody away only when there are more to be judged than can be at a time.
 *
 * @module
 */

/**
 * Connections that a node keeps: more than a mesh has peers.
 * @beyond The connection least needed makes room, or the new one is closed.
 */
export const KEPT_CONNECTIONS = 256

/**
 * Connections of a transport. As many again as are kept: those that shake hands, have not said what they belong to, wait to
 * be judged or are being shown out.
 * @beyond They are closed before anything is spent on them, and dials are refused.
 */
export const MAX_CONNECTIONS: number = 2 * KEPT_CONNECTIONS

/**
 * Handshakes under way at a time.
 * @beyond The one longest under way is given up; where that cannot be, the attempt is refused, and tries again.
 */
export const MAX_HANDSHAKES = 64
/**
 * Of these from one address: a household or an office behind one router.
 * @beyond The attempt is refused before anything is spent on it.
 */
export const MAX_HANDSHAKES_PER_SOURCE = 16

/**
 * How long a dialler may take to prove its key: some round trips on the slowest path.
 * @beyond The handshake is given up.
 */
export const HANDSHAKE_TIMEOUT_MS = 5_000

/**
 * Connections that wait to be accepted: taking one in takes a turn of the event loop.
 * @beyond The connection is closed.
 */
export const MAX_INCOMING = 64

/**
 * Longest dial, whatever it goes by and all that belongs to it: several retransmissions on a slow path, well before a
 * person gives up.
 * @beyond The dial has failed.
 */
export const CONNECT_TIMEOUT_MS = 10_000
