/**
 * The methods on apps: which app and which store a subdomain of the mesh stands for.
 *
 * A binding is one record, so app and store never come from two writers. What this node has seen of a subdomain is
 * replaced; what it has not seen stands beside it as a conflict.
 *
 * @module
 */
import { create } from '@bufbuild/protobuf'
import { get, headIds, heads, resolveHeads, scan } from '@lattice/kvtable'
import { type ReadTable, utf8Decode, utf8Encode } from '@lattice/model'
import { kv, root } from '@lattice/proto'
import {
  type CommandDefinition,
  defineCommand,
  defineQuery,
  defineWrite,
  type QueryDefinition,
  type ResolveDeps,
} from '@lattice/store-base'
import { checkSubdomain } from './app-names.ts'
import { appHead, appInfo, type BoundApp, readBinding } from './app-view.ts'
import { NotRegistered } from './errors.ts'
import { MAX_SHOWN_HEADS } from './limits.ts'
import { encodeOperation } from './payload.ts'
import {
  checkAppId,
  checkLimit,
  checkStoreId,
  checkSubdomainName,
  cited,
  makePageToken,
  readPageToken,
} from './requests.ts'
import { readPart } from './table-layout.ts'

export const registerApp: CommandDefinition<typeof root.RegisterAppRequestSchema, typeof kv.WriteResponseSchema> =
  defineWrite({
    description: 'Binds a subdomain to an app and the store that holds its data.',
    request: root.RegisterAppRequestSchema,
    response: kv.WriteResponseSchema,
    plan: ({ subdomain, appId, storeId }) => ({
      payload: encodeOperation({
        case: 'setApp',
        value: {
          subdomain: checkSubdomainName(subdomain),
          binding: { appId: checkAppId(appId), storeId: checkStoreId(storeId) },
        },
      }),
      deps: headsOf(subdomain),
    }),
    respond: (id) => create(kv.WriteResponseSchema, { id }),
  })

export const removeApp: CommandDefinition<typeof root.RemoveAppRequestSchema, typeof kv.WriteResponseSchema> =
  defineCommand({
    description: 'Ends the binding of a subdomain.',
    request: root.RemoveAppRequestSchema,
    response: kv.WriteResponseSchema,
    run: async ({ read, submit }, { subdomain }) => {
      const found = get(readPart(read, 'apps'), utf8Encode(checkSubdomainName(subdomain)))
      // A removal beside a binding is a conflict, which another removal ends.
      if (found?.value === undefined && found?.conflicted !== true) throw new NotRegistered('app', subdomain)
      const id = await submit(encodeOperation({ case: 'unsetApp', value: { subdomain } }), headsOf(subdomain))
      return create(kv.WriteResponseSchema, { id })
    },
  })

export const getApp: QueryDefinition<typeof root.GetAppRequestSchema, typeof root.GetAppResponseSchema> = defineQuery({
  description: 'Shows the app of a subdomain, with every concurrent binding of it.',
  request: root.GetAppRequestSchema,
  response: root.GetAppResponseSchema,
  run: ({ read }, { subdomain }) => {
    const [winner, ...losers] = heads(readPart(read, 'apps'), utf8Encode(checkSubdomainName(subdomain)))
    if (winner === undefined) return create(root.GetAppResponseSchema)
    const { value, conflicted } = resolveHeads([winner, ...losers])
    return create(root.GetAppResponseSchema, {
      ...(value && { app: appInfo({ subdomain, binding: readBinding(value), conflicted }) }),
      heads: [winner, ...losers].slice(0, MAX_SHOWN_HEADS).map(appHead),
      standing: 1 + losers.length,
    })
  },
})

export const listApps: QueryDefinition<typeof root.ListAppsRequestSchema, typeof root.ListAppsResponseSchema> =
  defineQuery({
    description: 'Lists apps in order of subdomain.',
    request: root.ListAppsRequestSchema,
    response: root.ListAppsResponseSchema,
    run: ({ read }, { limit, pageToken }) => {
      const after = readPageToken(pageToken, (name) => checkSubdomain(name) === undefined)
      const most = checkLimit(limit)
      const apps: root.AppInfo[] = []
      for (const app of scanApps(read, after)) {
        const last = apps.at(-1)
        if (last !== undefined && apps.length === most)
          return create(root.ListAppsResponseSchema, { apps, nextPageToken: makePageToken(last.subdomain) })
        apps.push(appInfo(app))
      }
      return create(root.ListAppsResponseSchema, { apps })
    },
  })

/** Every app that is bound, in order of subdomain. */
export function* scanApps(read: ReadTable, after?: Uint8Array): Generator<BoundApp, void, undefined> {
  for (const { key, value, conflicted } of scan(readPart(read, 'apps'), after === undefined ? {} : { after }))
    if (value !== undefined) yield { subdomain: utf8Decode(key) ?? '', binding: readBinding(value), conflicted }
}

function headsOf(subdomain: string): ResolveDeps {
  return (read) => cited([], headIds(readPart(read, 'apps'), [utf8Encode(subdomain)]))
}
