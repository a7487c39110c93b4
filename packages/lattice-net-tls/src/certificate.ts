/**
 * The certificate by which a node shows its key in TLS.
 *
 * Only the key in it is ever looked at, by either side: names, dates and the signature of it mean nothing, and are the same
 * for every node. That the peer has the secret to the key is proved by the handshake, which it signs.
 *
 * Encoded here, by hand, since it is one fixed shape (RFC 5280, RFC 8410): a version, a number, one name twice, two dates and
 * the key, signed.
 *
 * @module
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { type PublicKey, readPublicKey, type Seed } from '@lattice/model'

export interface NodeCertificate {
  readonly publicKey: PublicKey
  /** PEM, as `tls.createSecureContext` takes them. */
  readonly key: string
  readonly cert: string
}

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  objectId: 0x06,
  utf8: 0x0c,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const

/** What precedes a seed in PKCS #8 (RFC 8410, section 7): version 0, the algorithm, an octet string in an octet string. */
const PKCS8_PREFIX = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32])
/** 1.3.101.112 (RFC 8410). */
const ED25519 = der(TAG.sequence, der(TAG.objectId, Uint8Array.from([43, 101, 112])))
/** 2.5.4.3. */
const COMMON_NAME = der(TAG.objectId, Uint8Array.from([85, 4, 3]))
const NAME = der(TAG.sequence, der(TAG.set, der(TAG.sequence, COMMON_NAME, der(TAG.utf8, ascii('lattice')))))
/** From the start of the century to the date that stands for none (RFC 5280, section 4.1.2.5). */
const ALWAYS = der(
  TAG.sequence,
  der(TAG.generalizedTime, ascii('20000101000000Z')),
  der(TAG.generalizedTime, ascii('99991231235959Z')),
)
const VERSION_3 = der(TAG.version, der(TAG.integer, Uint8Array.from([2])))
const SERIAL = der(TAG.integer, Uint8Array.from([1]))

/** The same for the same seed. */
export function createCertificate(seed: Seed): NodeCertificate {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const open = createPublicKey(secret)
  const subjectKey = open.export({ type: 'spki', format: 'der' })
  const content = der(TAG.sequence, VERSION_3, SERIAL, ED25519, NAME, ALWAYS, NAME, subjectKey)
  const signature = der(TAG.bitString, Uint8Array.from([0]), sign(null, content, secret))
  const publicKey = keyOf(open)
  if (publicKey === undefined) throw new Error('a seed has a key')
  return {
    publicKey,
    key: secret.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: new X509Certificate(der(TAG.sequence, content, ED25519, signature)).toString(),
  }
}

/** The node's key that a certificate holds; undefined when it holds anything else. */
export function peerKeyOf(certificate: X509Certificate | undefined): PublicKey | undefined {
  try {
    return certificate === undefined ? undefined : keyOf(certificate.publicKey)
  } catch {
    // A key that the platform cannot read, in a certificate it can.
    return undefined
  }
}

function keyOf(key: KeyObject): PublicKey | undefined {
  if (key.asymmetricKeyType !== 'ed25519') return undefined
  const { x } = key.export({ format: 'jwk' })
  return x === undefined ? undefined : readPublicKey(new Uint8Array(Buffer.from(x, 'base64url')))
}

/** Tag, length, value (X.690); of values below 64 KiB. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const value = Buffer.concat(parts)
  const { length } = value
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Uint8Array.from([tag, ...size]), value])
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
