/**
 * What the root store's methods ask of their requests.
 *
 * @module
 */
import { decodePageToken, encodePageToken } from '@lattice/kvstore'
import { HASH_BYTES, utf8Decode, utf8Encode } from '@lattice/model'
import { InvalidArgument, LimitExceeded, MAX_FOLDED_DEPS } from '@lattice/store-base'
import { checkSubdomain, isAppId } from './app-names.ts'
import { DEFAULT_PAGE_ITEMS, MAX_APP_ID_BYTES, MAX_PAGE_ITEMS, MAX_SUBDOMAIN_BYTES } from './limits.ts'

export function checkAppId(appId: string): string {
  if (isAppId(appId)) return appId
  throw new InvalidArgument(
    `this is no app id: use at most ${MAX_APP_ID_BYTES} of a-z, 0-9, and single dots, hyphens and underscores between them`,
    { reason: 'app_id_malformed' },
  )
}

export function checkSubdomainName(subdomain: string): string {
  const reason = checkSubdomain(subdomain)
  if (reason === undefined) return subdomain
  throw new InvalidArgument(
    reason === 'subdomain_reserved'
      ? `\`${subdomain}\` is used by the node itself: choose another subdomain`
      : `this is no subdomain: use at most ${MAX_SUBDOMAIN_BYTES} of a-z, 0-9, and hyphens between them`,
    { reason },
  )
}

export function checkStoreId(storeId: Uint8Array): Uint8Array {
  if (storeId.length === HASH_BYTES) return storeId
  throw new InvalidArgument(
    `a store id has ${HASH_BYTES} bytes, this one has ${storeId.length}: give the id of the store that holds the app's data`,
    { reason: 'store_id_malformed' },
  )
}

export function checkLimit(limit: number): number {
  if (limit <= MAX_PAGE_ITEMS) return limit === 0 ? DEFAULT_PAGE_ITEMS : limit
  throw new LimitExceeded(`a page has at most ${MAX_PAGE_ITEMS} items: ask for fewer and follow the page token`, {
    limit: MAX_PAGE_ITEMS,
    actual: limit,
  })
}

/** The name after which a listing goes on; undefined from the first. */
export function readPageToken(token: Uint8Array, isName: (name: string) => boolean): Uint8Array | undefined {
  if (token.length === 0) return undefined
  const position = decodePageToken(token)
  const name = position?.reverse === false ? utf8Decode(position.after) : undefined
  if (name !== undefined && isName(name)) return utf8Encode(name)
  throw new InvalidArgument('the page token is not of this listing: repeat the request that gave it, with its token')
}

export function makePageToken(after: string): Uint8Array {
  return encodePageToken({ after: utf8Encode(after), reverse: false })
}

/** What a write cites: `first` all, and of `then` as many as fit. */
export function cited<Id>(first: readonly Id[], then: readonly Id[]): readonly Id[] {
  return [...first, ...then].slice(0, MAX_FOLDED_DEPS)
}
