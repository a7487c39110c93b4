/**
 * The root store as a library is used: bundles of any size as bytes, apps as plain values, pages taken care of.
 *
 * @module
 */
import { type Kv, openKv } from '@lattice/kvstore'
import {
  type AbortSignal,
  type IntentionId,
  type PublicKey,
  type StoreId,
  toIntentionId,
  toPublicKey,
  toStoreId,
} from '@lattice/model'
import { root } from '@lattice/proto'
import { createClient, type Executor } from '@lattice/store-base'
import { receiveBundle, sendBundle, type TransferOptions } from './transfer-bundle.ts'

export interface AppBinding {
  readonly appId: string
  /** The store that holds the app's data. */
  readonly storeId: StoreId
}

export interface App extends AppBinding {
  readonly subdomain: string
  /** Other concurrent bindings stand beside the winner: see `inspectApp`. */
  readonly conflicted: boolean
}

/** One standing write. */
export interface RecordHead {
  readonly id: IntentionId
  readonly author: PublicKey
  readonly wall: number
  readonly counter: number
}

export interface AppHead extends RecordHead {
  /** Undefined for a removal. */
  readonly binding: AppBinding | undefined
}

export interface BundleSummary {
  readonly appId: string
  readonly name: string
  readonly version: string
  /** Empty when the app does not say. */
  readonly storeType: string
  readonly description: string
  /** Every entry of the manifest. */
  readonly fields: readonly { readonly table: string; readonly key: string; readonly value: string }[]
  /** Bytes of the zip. */
  readonly size: number
  /** SHA-256 of the zip. */
  readonly hash: Uint8Array
  /** Whether all of its content is here. */
  readonly complete: boolean
  /** Other concurrent bundles stand beside the winner. */
  readonly conflicted: boolean
}

export type AppsEvent =
  | ({ readonly kind: 'app' } & App)
  | { readonly kind: 'app_removed'; readonly subdomain: string }
  | ({ readonly kind: 'bundle' } & BundleSummary)
  | { readonly kind: 'bundle_removed'; readonly appId: string }
  | { readonly kind: 'lagged'; readonly count: number }
  | { readonly kind: 'snapshot_end' }

/** Every write resolves with the id of its intention, once it is durable. */
export interface Root {
  /** The keys and values of the store. */
  readonly kv: Kv
  /** Binds a subdomain to an app and the store of its data; replaces what is seen of it here. */
  readonly registerApp: (subdomain: string, binding: AppBinding, signal?: AbortSignal) => Promise<IntentionId>
  /** Rejects with `VALUE_NOT_FOUND` where there is no app. */
  readonly removeApp: (subdomain: string, signal?: AbortSignal) => Promise<IntentionId>
  readonly getApp: (subdomain: string, signal?: AbortSignal) => Promise<App | undefined>
  /** The standing bindings of the subdomain, the winner first; at most 64 of them. */
  readonly inspectApp: (subdomain: string, signal?: AbortSignal) => Promise<readonly AppHead[]>
  /** In order of subdomain, page by page: each page is one state, the whole need not be. */
  readonly listApps: (signal?: AbortSignal) => AsyncIterable<App>
  /**
   * Makes a zip the bundle of the app that its manifest names, which is `appId` where that is given. Rejects with
   * `BUNDLE_INVALID`, and then nothing of it is here. One that ends early leaves the bundle there was.
   */
  readonly uploadBundle: (
    zip: Uint8Array,
    options?: TransferOptions & { readonly appId?: string },
  ) => Promise<IntentionId>
  /** The zip, as it was uploaded. Rejects with `VALUE_NOT_FOUND`, or `WRONG_STATE` where a part is not here. */
  readonly downloadBundle: (appId: string, options?: TransferOptions) => Promise<Uint8Array>
  /** Rejects with `VALUE_NOT_FOUND` where there is no bundle, and nothing left of an upload. */
  readonly removeBundle: (appId: string, signal?: AbortSignal) => Promise<IntentionId>
  readonly getBundle: (appId: string, signal?: AbortSignal) => Promise<BundleSummary | undefined>
  /** In order of app id, page by page. */
  readonly listBundles: (signal?: AbortSignal) => AsyncIterable<BundleSummary>
  /** Follows apps and bundles. Subscribes at once; ends on `signal`. */
  readonly watchApps: (options?: {
    readonly snapshot?: boolean
    readonly signal?: AbortSignal
  }) => AsyncIterable<AppsEvent>
}

/** Opens a root store over `executor`: a store handle of a node, a client of a daemon, or a test host. */
export function openRoot(executor: Executor): Root {
  const client = createClient({ service: root.RootStore }, executor)
  const carrier = { client, pause: executor.pause ?? (async () => Promise.resolve()) }
  return {
    kv: openKv(executor),
    registerApp: async (subdomain, { appId, storeId }, signal) =>
      toIntentionId((await client.registerApp({ subdomain, appId, storeId }, signal)).id),
    removeApp: async (subdomain, signal) => toIntentionId((await client.removeApp({ subdomain }, signal)).id),
    getApp: async (subdomain, signal) => {
      const { app } = await client.getApp({ subdomain }, signal)
      return app && appOf(app)
    },
    inspectApp: async (subdomain, signal) => (await client.getApp({ subdomain }, signal)).heads.map(appHeadOf),
    listApps: (signal) =>
      paged(async (pageToken) => {
        const { apps, nextPageToken } = await client.listApps({ pageToken }, signal)
        return { items: apps.map(appOf), nextPageToken }
      }),
    uploadBundle: (zip, options = {}) => sendBundle(carrier, zip, options),
    downloadBundle: (appId, options = {}) => receiveBundle(carrier, appId, options),
    removeBundle: async (appId, signal) => toIntentionId((await client.removeBundle({ appId }, signal)).id),
    getBundle: async (appId, signal) => {
      const { bundle } = await client.getBundle({ appId }, signal)
      return bundle && bundleOf(bundle)
    },
    listBundles: (signal) =>
      paged(async (pageToken) => {
        const { bundles, nextPageToken } = await client.listBundles({ pageToken }, signal)
        return { items: bundles.map(bundleOf), nextPageToken }
      }),
    watchApps: ({ snapshot = false, signal } = {}) => appsEvents(client.watchApps({ snapshot }, signal)),
  }
}

async function* paged<Item>(
  fetch: (pageToken: Uint8Array) => Promise<{ readonly items: readonly Item[]; readonly nextPageToken: Uint8Array }>,
): AsyncGenerator<Item, void, undefined> {
  let pageToken = new Uint8Array()
  do {
    const page = await fetch(pageToken)
    yield* page.items
    pageToken = Uint8Array.from(page.nextPageToken)
  } while (pageToken.length > 0)
}

async function* appsEvents(events: AsyncIterable<root.AppEvent>): AsyncGenerator<AppsEvent, void, undefined> {
  for await (const { event } of events) {
    switch (event.case) {
      case 'app':
        yield { kind: 'app', ...appOf(event.value) }
        break
      case 'appRemoved':
        yield { kind: 'app_removed', subdomain: event.value.subdomain }
        break
      case 'bundle':
        yield { kind: 'bundle', ...bundleOf(event.value) }
        break
      case 'bundleRemoved':
        yield { kind: 'bundle_removed', appId: event.value.appId }
        break
      case 'lagged':
        yield { kind: 'lagged', count: Number(event.value) }
        break
      case 'snapshotEnd':
        yield { kind: 'snapshot_end' }
        break
      case undefined:
        // Made by a newer store: this version has no word for it.
        break
    }
  }
}

function appOf({ subdomain, appId, storeId, conflicted }: root.AppInfo): App {
  return { subdomain, appId, storeId: toStoreId(storeId), conflicted }
}

function appHeadOf({ id, author, wall, counter, binding }: root.AppHead): AppHead {
  return {
    id: toIntentionId(id),
    author: toPublicKey(author),
    wall: Number(wall),
    counter,
    binding: binding && { appId: binding.appId, storeId: toStoreId(binding.storeId) },
  }
}

function bundleOf({ appId, manifest, size, hash, missingParts, conflicted }: root.BundleInfo): BundleSummary {
  return {
    appId,
    name: manifest?.name ?? '',
    version: manifest?.version ?? '',
    storeType: manifest?.storeType ?? '',
    description: manifest?.description ?? '',
    fields: (manifest?.fields ?? []).map(({ table, key, value }) => ({ table, key, value })),
    size: Number(size),
    hash,
    complete: missingParts === 0,
    conflicted,
  }
}
