/**
 * The state machine of a mesh's root, `core:rootstore`.
 *
 * @module
 */
import { kvFieldFormats, PURGE_SCHEMA } from '@lattice/kvstore'
import { assert, parseStoreType, type StoreType } from '@lattice/model'
import { root } from '@lattice/proto'
import { defineStateMachine, type StateMachine } from '@lattice/store-base'
import { getApp, listApps, registerApp, removeApp } from './app-methods.ts'
import { applyRootPayload, type RootEvent } from './apply-root.ts'
import { putBundlePart, removeBundle, uploadBundle } from './bundle-commands.ts'
import { getBundle, listBundles } from './bundle-queries.ts'
import { downloadBundle } from './download-bundle.ts'
import { keyCommands, keyQueries, keyStreams } from './kv-half.ts'
import { planRootPurges } from './plan-purges.ts'
import { summarizeRootPayload } from './summarize.ts'
import { watchApps } from './watch-apps.ts'

/** A key-value store that also holds the apps of a mesh and their bundles. */
export const rootStore: StateMachine<RootEvent, typeof root.RootStore> = defineStateMachine<
  StateMachine<RootEvent, typeof root.RootStore>
>({
  storeType: storeType('core:rootstore'),
  schemaVersion: PURGE_SCHEMA,
  commandSchema: 1,
  tableVersion: 2,
  service: root.RootStore,
  commands: {
    ...keyCommands,
    RegisterApp: registerApp,
    RemoveApp: removeApp,
    PutBundlePart: putBundlePart,
    UploadBundle: uploadBundle,
    RemoveBundle: removeBundle,
  },
  queries: { ...keyQueries, GetApp: getApp, ListApps: listApps, GetBundle: getBundle, ListBundles: listBundles },
  streams: { ...keyStreams, WatchApps: watchApps, DownloadBundle: downloadBundle },
  apply: applyRootPayload,
  purge: { schema: PURGE_SCHEMA, plan: planRootPurges },
  summarize: summarizeRootPayload,
  fieldFormats: {
    ...kvFieldFormats,
    'lattice.root.v1.RegisterAppRequest.store_id': 'hex',
    'lattice.root.v1.AppInfo.store_id': 'hex',
    'lattice.root.v1.AppBinding.store_id': 'hex',
    'lattice.root.v1.AppHead.id': 'hex',
    'lattice.root.v1.AppHead.author': 'hex',
    'lattice.root.v1.AppHead.wall': 'timestamp',
    'lattice.root.v1.ListAppsRequest.page_token': 'hex',
    'lattice.root.v1.ListAppsResponse.next_page_token': 'hex',
    'lattice.root.v1.PartList.ids': 'hex',
    'lattice.root.v1.UploadBundleResponse.id': 'hex',
    'lattice.root.v1.BundleInfo.hash': 'hex',
    'lattice.root.v1.BundleHead.id': 'hex',
    'lattice.root.v1.BundleHead.author': 'hex',
    'lattice.root.v1.BundleHead.wall': 'timestamp',
    'lattice.root.v1.BundleHead.hash': 'hex',
    'lattice.root.v1.ListBundlesRequest.page_token': 'hex',
    'lattice.root.v1.ListBundlesResponse.next_page_token': 'hex',
    'lattice.root.v1.DownloadBundleRequest.hash': 'hex',
  },
  referencedBlobs: () => [],
})

function storeType(text: string): StoreType {
  const parsed = parseStoreType(text)
  assert(parsed.ok, 'the store type is well-formed')
  return parsed.value
}
