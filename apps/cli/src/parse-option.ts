/**
 * Values of options, read strictly; commander turns a refusal into a usage error.
 *
 * @module
 */
import { system } from '@lattice/proto'
import { InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './render/units.ts'

/** How a store is named on a command line. */
export const STORE_ARGUMENT = 'id, 4 or more digits of it, name or path'
/** Where the selected store is meant unless one is named. */
export const OPTIONAL_STORE_ARGUMENT: string = `${STORE_ARGUMENT} (default: the selected store)`

/** Reads a whole number within the bounds. */
export function parseCount({ min, max }: { readonly min: number; readonly max: number }): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`)
    return value
  }
}

/** Reads a duration such as `24h` into milliseconds. */
export function parseMilliseconds(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('It takes a duration such as 90s, 30m, 24h or 7d.')
  return ms
}

/** An id, or its first digits. One cut short by a table ends in an ellipsis; it may be pasted as it is. */
export function toPrefix(text: string): string {
  return text.toLowerCase().replace(/…$/u, '')
}

const ROLES: Readonly<Record<string, system.Role>> = {
  reader: system.Role.READER,
  writer: system.Role.WRITER,
  admin: system.Role.ADMIN,
}

/** In the order of what they may do. */
export const ROLE_NAMES: readonly string[] = Object.keys(ROLES)

/** An option whose values are known to whoever completes it; its parser is its own. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  const option = new Option(flags, description)
  option.argChoices = [...choices]
  return option
}

/** Reads a role. */
export function parseRole(text: string): system.Role {
  const role = ROLES[text.toLowerCase()]
  if (role === undefined) throw new InvalidArgumentError('It is one of reader, writer and admin.')
  return role
}
