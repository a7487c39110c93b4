/**
 * The reads of bundles, but for their content.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { heads, resolveHeads, scan } from '@lattice/kvtable'
import { type ReadTable, utf8Decode, utf8Encode } from '@lattice/model'
import { root } from '@lattice/proto'
import { defineQuery, type QueryDefinition } from '@lattice/store-base'
import { isAppId } from './app-names.ts'
import { bundleHead, bundleInfo, readRecord, type StoredBundle } from './bundle-view.ts'
import { MAX_PAGE_BYTES, MAX_SHOWN_HEADS } from './limits.ts'
import { checkAppId, checkLimit, makePageToken, readPageToken } from './requests.ts'
import { readPart } from './table-layout.ts'

export const getBundle: QueryDefinition<typeof root.GetBundleRequestSchema, typeof root.GetBundleResponseSchema> =
  defineQuery({
    description: 'Shows the bundle of an app, with every concurrent one; a small one with its content.',
    request: root.GetBundleRequestSchema,
    response: root.GetBundleResponseSchema,
    run: ({ read }, { appId }) => {
      const standing = heads(readPart(read, 'bundles'), utf8Encode(checkAppId(appId)))
      const bundle = findBundle(read, appId)
      const content = bundle?.record.content
      return create(root.GetBundleResponseSchema, {
        ...(bundle && { bundle: bundleInfo(read, bundle) }),
        ...(content?.case === 'inline' && { data: content.value }),
        heads: standing.slice(0, MAX_SHOWN_HEADS).map(bundleHead),
        standing: standing.length,
      })
    },
  })

export const listBundles: QueryDefinition<typeof root.ListBundlesRequestSchema, typeof root.ListBundlesResponseSchema> =
  defineQuery({
    description: 'Lists bundles in order of app id.',
    request: root.ListBundlesRequestSchema,
    response: root.ListBundlesResponseSchema,
    run: ({ read }, { limit, pageToken }) => {
      const after = readPageToken(pageToken, isAppId)
      const most = checkLimit(limit)
      const bundles: root.BundleInfo[] = []
      let bytes = 0
      for (const { bundle, size } of scanBundles(read, after)) {
        const last = bundles.at(-1)
        bytes += size
        if (last !== undefined && (bundles.length === most || bytes > MAX_PAGE_BYTES))
          return create(root.ListBundlesResponseSchema, { bundles, nextPageToken: makePageToken(last.appId) })
        bundles.push(bundleInfo(read, bundle))
      }
      return create(root.ListBundlesResponseSchema, { bundles })
    },
  })

/** The bundle of an app; undefined when it has none. */
export function findBundle(read: ReadTable, appId: string): StoredBundle | undefined {
  const [winner, ...losers] = heads(readPart(read, 'bundles'), utf8Encode(appId))
  if (winner === undefined) return undefined
  const { value, conflicted } = resolveHeads([winner, ...losers])
  return value && { appId, record: readRecord(value), conflicted }
}

/** Every bundle with the bytes of its record, in order of app id. */
export function* scanBundles(
  read: ReadTable,
  after?: Uint8Array,
): Generator<{ readonly bundle: StoredBundle; readonly size: number }, void, undefined> {
  for (const { key, value, conflicted } of scan(readPart(read, 'bundles'), after === undefined ? {} : { after })) {
    if (value === undefined) continue
    const bundle = { appId: utf8Decode(key) ?? '', record: readRecord(value), conflicted }
    yield { bundle, size: key.length + value.length }
  }
}
