/**
 * `lattice store …`: the stores of a node.
 *
 * @module
 */
import type { Command } from 'commander'
import type { Bind } from '../run-action.ts'
import { addStoreDebugCommands } from './store-debug.ts'
import { addExportCommand } from './store-export.ts'
import { addHistoryCommand } from './store-history.ts'
import { addIntegrityCommands } from './store-integrity.ts'
import { addImportCommand } from './store-import.ts'
import { addJoinCommand } from './store-join.ts'
import { addLifeCommands } from './store-life.ts'
import { addLifecycleCommands } from './store-lifecycle.ts'
import { addAckCommand } from './store-observe.ts'
import { addPruneCommand } from './store-prune.ts'
import { addSnapshotCommand } from './store-snapshot.ts'
import { addResubmitCommand } from './store-stranded.ts'
import { addStatusCommands } from './store-status.ts'
import { addSyncCommands } from './store-sync.ts'

export function addStoreCommands(program: Command, bind: Bind): void {
  const store = program.command('store').description('the stores of this node')
  addLifecycleCommands(store, bind)
  addStatusCommands(store, bind)
  addJoinCommand(store, bind)
  addLifeCommands(store, bind)
  addSyncCommands(store, bind)
  addIntegrityCommands(store, bind)
  addPruneCommand(store, bind)
  addSnapshotCommand(store, bind)
  addResubmitCommand(store, bind)
  addAckCommand(store, bind)
  addHistoryCommand(store, bind)
  addImportCommand(store, bind)
  addExportCommand(store, bind)
  addStoreDebugCommands(store, bind)
}
