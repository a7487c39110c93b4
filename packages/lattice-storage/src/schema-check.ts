/**
 * Compares the tables of a database with those its migrations make: a form that changed on the disk changes what every
 * statement means.
 *
 * @module
 */
import Sqlite from 'better-sqlite3'
import type { Database } from './database.ts'
import { migrate } from './migrations.ts'

interface SchemaRow {
  readonly name: string
  readonly sql: string | null
}

/** The tables and indexes of a database, as text. */
export type Schema = readonly string[]

const SELECT_SCHEMA = 'SELECT name, sql FROM sqlite_schema ORDER BY name'

/** What a database has that was made by these migrations. */
export function schemaOf(options: { readonly applicationId: number; readonly migrations: readonly string[] }): Schema {
  const handle = new Sqlite(':memory:')
  try {
    migrate(handle, { ...options, version: 0 })
    return handle.prepare<[], SchemaRow>(SELECT_SCHEMA).all().map(textOf)
  } finally {
    handle.close()
  }
}

/** Says what differs; undefined when nothing does. */
export function schemaProblem(database: Database, expected: Schema): string | undefined {
  const found = database.prepare<SchemaRow>(SELECT_SCHEMA).all().map(textOf)
  const wrong = expected.findIndex((text, index) => text !== found[index])
  if (wrong < 0 && found.length === expected.length) return undefined
  return `its tables are not as they were made (${expected[wrong]?.split('\n')[0] ?? 'one too many'})`
}

function textOf({ name, sql }: SchemaRow): string {
  return `${name}\n${sql ?? ''}`
}
