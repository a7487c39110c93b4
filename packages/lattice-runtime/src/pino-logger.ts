/**
 * Structured logs by pino, one JSON object per line on stderr, so that stdout
 * stays for what was asked.
 *
 * @module
 */
import { type LogFields, type Logger, toHex } from '@lattice/model'
import { destination, pino } from 'pino'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A logger that writes events of `level` and above. Bytes are shown as hex. */
export function createPinoLogger({ level }: { readonly level: LogLevel }): Logger {
  const logger = pino(
    { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ dest: 2, sync: true }),
  )
  return {
    debug: (event, fields) => logger.debug(printable(fields), event),
    info: (event, fields) => logger.info(printable(fields), event),
    warn: (event, fields) => logger.warn(printable(fields), event),
    error: (event, fields) => logger.error(printable(fields), event),
  }
}

function printable(fields: LogFields | undefined): Record<string, unknown> {
  if (fields === undefined) return {}
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, toPrintable(value)]))
}

function toPrintable(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack }
  return value
}
