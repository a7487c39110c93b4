/**
 * Invite tokens: everything a newcomer needs to find a store and be let in, as one line of text.
 *
 * Bech32m over a protobuf message: case-insensitive, fit for a QR code, and checksummed, so a mistyped character is told
 * from a token that nobody issued. The checksum guards against slips, not against malice: a token is a claim, and only
 * the node that made it decides what it is worth. Input is bounded before it is decoded.
 *
 * @module
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { err, ok, type PublicKey, readPublicKey, readStoreId, type Result, type StoreId } from '@lattice/model'
import { node, system } from '@lattice/proto'
import { MAX_INVITE_USES } from '@lattice/systemstore'
import { bech32m } from '@scure/base'

/** What every token begins with, before the separator `1`. */
export const TOKEN_PREFIX = 'lattice'
/** Bytes of a token's secret: nobody guesses it. */
export const TOKEN_SECRET_BYTES = 32
/** Longest text taken for a token: what the most and longest addresses need, at eight characters for five bytes. */
export const MAX_TOKEN_CHARS = 8192
/** Addresses a token carries: a host has a few, and the QR code has to stay readable. */
export const MAX_TOKEN_ADDRESSES = 16
/** Longest address: a relay URL or a socket address with room to spare. */
export const MAX_ADDRESS_CHARS = 256
const TOKEN_VERSION = 1
const BEGINNING = new RegExp(`^${TOKEN_PREFIX}1`, 'i')
const NO_TOKEN_CHARACTER = /[^qpzry9x8gf2tvdw0s3jn54khce6mua7l]/i
/** Visible ASCII: what a URL or a socket address is made of. */
const ADDRESS = /^[\x21-\x7e]+$/

/** The content of a token. */
export interface InviteToken {
  readonly storeId: StoreId
  /** {@link TOKEN_SECRET_BYTES} random bytes. */
  readonly secret: Uint8Array
  /** The node that made the token, the only one that redeems it. */
  readonly inviter: PublicKey
  readonly addresses: readonly string[]
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
  readonly uses: number
  readonly role: system.Role
}

/** Why a text is no token this version can read. */
export interface TokenError {
  readonly code: 'too_long' | 'wrong_prefix' | 'bad_character' | 'mistyped' | 'bad_content' | 'bad_version'
  /** One sentence for whoever typed it. */
  readonly message: string
}

/** The token as text, in lower case. Addresses beyond the limits are left out. */
export function encodeInviteToken(token: InviteToken): string {
  const message = create(node.InviteTokenSchema, {
    version: TOKEN_VERSION,
    storeId: token.storeId,
    secret: token.secret,
    inviter: token.inviter,
    addresses: token.addresses.filter(isAddress).slice(0, MAX_TOKEN_ADDRESSES),
    expiresAt: BigInt(token.expiresAt),
    uses: token.uses,
    role: token.role,
  })
  // `false`: the usual limit of 90 characters is one of payment addresses.
  return bech32m.encode(TOKEN_PREFIX, bech32m.toWords(toBinary(node.InviteTokenSchema, message)), false)
}

/** Reads a token as typed or pasted: in either case, with white space around it and line breaks within. Total. */
export function decodeInviteToken(text: string): Result<InviteToken, TokenError> {
  if (text.length > MAX_TOKEN_CHARS * 2) return err(tooLong())
  const compact = text.replaceAll(/\s+/g, '')
  if (compact.length > MAX_TOKEN_CHARS) return err(tooLong())
  if (!BEGINNING.test(compact)) {
    return err({ code: 'wrong_prefix', message: `a token begins with \`${TOKEN_PREFIX}1\`: copy the whole line` })
  }
  // In ASCII alone: other alphabets have letters that become these in lower case.
  const bad = NO_TOKEN_CHARACTER.exec(compact.slice(TOKEN_PREFIX.length + 1))
  if (bad !== null) {
    const at = bad.index + TOKEN_PREFIX.length + 2
    return err({
      code: 'bad_character',
      message: `the token has the character ${JSON.stringify(bad[0])} at position ${at}, which no token has: copy it again`,
    })
  }
  const lower = compact.toLowerCase()
  // BIP 350: one case or the other, for a mixture was typed and not copied.
  const isOneCase = compact === lower || compact === compact.toUpperCase()
  const bytes = isOneCase ? decodeBech32m(lower) : undefined
  if (bytes === undefined) {
    return err({
      code: 'mistyped',
      message: isOneCase
        ? 'the token does not match its checksum: a character is wrong or missing, copy it again'
        : 'the token is in upper and in lower case, which none is: copy it again',
    })
  }
  return readContent(bytes)
}

function decodeBech32m(lower: string): Uint8Array | undefined {
  try {
    return bech32m.fromWords(bech32m.decode(lower, false).words)
  } catch {
    return undefined
  }
}

function readContent(bytes: Uint8Array): Result<InviteToken, TokenError> {
  const message = readMessage(bytes)
  if (message === undefined) return err(badContent('it holds no invitation'))
  if (message.version !== TOKEN_VERSION) {
    return err({
      code: 'bad_version',
      message: `the token has version ${message.version}, this node reads version ${TOKEN_VERSION}: update the older node`,
    })
  }
  const storeId = readStoreId(message.storeId)
  const inviter = readPublicKey(message.inviter)
  if (storeId === undefined) return err(badContent('it names no store'))
  if (inviter === undefined) return err(badContent('it names no inviting node'))
  if (message.secret.length !== TOKEN_SECRET_BYTES) return err(badContent('its secret has the wrong length'))
  if (message.addresses.length > MAX_TOKEN_ADDRESSES) return err(badContent('it has too many addresses'))
  if (!message.addresses.every(isAddress)) return err(badContent('one of its addresses cannot be one'))
  if (message.expiresAt < 1n || message.expiresAt > BigInt(Number.MAX_SAFE_INTEGER)) {
    return err(badContent('its expiry is out of range'))
  }
  if (message.uses < 1 || message.uses > MAX_INVITE_USES) return err(badContent('its number of uses is out of range'))
  if (!ROLES.includes(message.role)) return err(badContent('it gives no role'))
  // Of the version that it claims, so there is nothing else in it.
  if (message.$unknown !== undefined) return err(badContent('it holds more than a token does'))
  return ok({
    storeId,
    inviter,
    secret: message.secret,
    addresses: message.addresses,
    expiresAt: Number(message.expiresAt),
    uses: message.uses,
    role: message.role,
  })
}

const ROLES: readonly system.Role[] = [system.Role.READER, system.Role.WRITER, system.Role.ADMIN]

function isAddress(address: string): boolean {
  return address.length <= MAX_ADDRESS_CHARS && ADDRESS.test(address)
}

function readMessage(bytes: Uint8Array): node.InviteToken | undefined {
  try {
    return fromBinary(node.InviteTokenSchema, bytes)
  } catch {
    return undefined
  }
}

function tooLong(): TokenError {
  return { code: 'too_long', message: `a token has at most ${MAX_TOKEN_CHARS} characters: copy the token alone` }
}

function badContent(what: string): TokenError {
  return { code: 'bad_content', message: `the token is not valid, ${what}: ask for a new one` }
}
