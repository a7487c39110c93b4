import { expect, test } from 'vitest'
import { isWorthIt, PRUNE_MANY_INTENTIONS, PRUNE_MIN_INTENTIONS } from './prune-driver.ts'

const part = (
  intentions: number,
  bytes = intentions * 200,
): { readonly intentions: number; readonly bytes: number } => ({
  intentions,
  bytes,
})

test('a prune is worth an epoch from a quarter of the log on, or for very many, and never for few', () => {
  expect(isWorthIt({ goes: part(PRUNE_MIN_INTENTIONS - 1), stays: part(0) })).toBe(false)
  expect(isWorthIt({ goes: part(PRUNE_MIN_INTENTIONS), stays: part(3 * PRUNE_MIN_INTENTIONS) })).toBe(true)
  expect(isWorthIt({ goes: part(PRUNE_MIN_INTENTIONS), stays: part(3 * PRUNE_MIN_INTENTIONS + 1) })).toBe(false)
  expect(isWorthIt({ goes: part(PRUNE_MANY_INTENTIONS), stays: part(100 * PRUNE_MANY_INTENTIONS) })).toBe(true)
})
