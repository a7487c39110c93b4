/**
 * Follows apps and bundles.
 *
 * A watcher is told what they read as, not what was written: a write that changes nothing for a reader is silent. With a
 * snapshot it first gets every present app and bundle, all as of the moment it subscribed. One that is too slow is told
 * how much it missed.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { ReadTable } from '@lattice/model'
import { root } from '@lattice/proto'
import { defineStream, LimitExceeded, type StreamContext, type StreamDefinition } from '@lattice/store-base'
import { scanApps } from './app-methods.ts'
import { appInfo } from './app-view.ts'
import type { RootEvent } from './apply-root.ts'
import { scanBundles } from './bundle-queries.ts'
import { bundleInfo } from './bundle-view.ts'
import { MAX_SNAPSHOT_BYTES } from './limits.ts'

export const watchApps: StreamDefinition<RootEvent, typeof root.WatchAppsRequestSchema, typeof root.AppEventSchema> =
  defineStream<RootEvent>()({
    description: 'Follows changes of apps and bundles.',
    params: root.WatchAppsRequestSchema,
    item: root.AppEventSchema,
    open: (context, { snapshot }) => {
      // Read and subscribed in one turn: no commit can fall between.
      const present = snapshot ? readSnapshot(context.read) : []
      return follow(context, context.changes(), present)
    },
  })

async function* follow(
  { read }: StreamContext<RootEvent>,
  changes: ReturnType<StreamContext<RootEvent>['changes']>,
  present: readonly root.AppEvent[],
): AsyncGenerator<root.AppEvent, void, undefined> {
  yield* present
  for await (const change of changes) {
    if (change.kind === 'lagged') {
      yield appEvent({ case: 'lagged', value: BigInt(change.count) })
      continue
    }
    for (const event of change.events) {
      const shown = liveEvent(read, event)
      if (shown !== undefined) yield shown
    }
  }
}

/** Every app and bundle, and the end of the snapshot. */
function readSnapshot(read: ReadTable): readonly root.AppEvent[] {
  const events: root.AppEvent[] = []
  let bytes = 0
  const add = (event: root.AppEvent): void => {
    bytes += toBinary(root.AppEventSchema, event).length
    if (bytes > MAX_SNAPSHOT_BYTES)
      throw new LimitExceeded(
        `apps and bundles have more than ${MAX_SNAPSHOT_BYTES} bytes: watch without a snapshot and list them in pages`,
        { limit: MAX_SNAPSHOT_BYTES, actual: bytes },
      )
    events.push(event)
  }
  for (const app of scanApps(read)) add(appEvent({ case: 'app', value: appInfo(app) }))
  for (const { bundle } of scanBundles(read)) add(appEvent({ case: 'bundle', value: bundleInfo(read, bundle) }))
  add(appEvent({ case: 'snapshotEnd', value: {} }))
  return events
}

function liveEvent(read: ReadTable, event: RootEvent): root.AppEvent | undefined {
  switch (event.kind) {
    case 'app_changed':
      return appEvent({ case: 'app', value: appInfo(event) })
    case 'app_removed':
      return appEvent({ case: 'appRemoved', value: { subdomain: event.subdomain } })
    case 'bundle_changed':
      return appEvent({ case: 'bundle', value: bundleInfo(read, event) })
    case 'bundle_removed':
      return appEvent({ case: 'bundleRemoved', value: { appId: event.appId } })
    case 'put':
    case 'deleted':
      return undefined
  }
}

function appEvent(event: NonNullable<MessageInitShape<typeof root.AppEventSchema>['event']>): root.AppEvent {
  return create(root.AppEventSchema, { event })
}
