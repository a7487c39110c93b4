/**
 * Schema versions: a list of steps, each run once, all that are missing in one transaction.
 *
 * @module
 */
import type Sqlite from 'better-sqlite3'

/** SQL that brings the schema from the version before to the next. Released ones never change. */
export type Migration = string

interface MigrateOptions {
  readonly migrations: readonly Migration[]
  /** The file's version: how many have run. */
  readonly version: number
  readonly applicationId: number
}

/** Runs what is missing. A crash in between leaves the version before. */
export function migrate(handle: Sqlite.Database, { migrations, version, applicationId }: MigrateOptions): void {
  if (version === migrations.length) return
  handle
    .transaction(() => {
      for (const migration of migrations.slice(version)) handle.exec(migration)
      handle.pragma(`application_id = ${applicationId}`)
      handle.pragma(`user_version = ${migrations.length}`)
    })
    .immediate()
}
