import { describe, expect, test } from 'vitest'
import { assert, InvariantViolation, unreachable } from './assert.ts'
import { isLatticeError, LATTICE_ERROR_CODES, LatticeError } from './errors.ts'
import { silentLogger } from './ports.ts'

class StoreMissing extends LatticeError {
  readonly code = 'STORE_NOT_FOUND'
}

describe('LatticeError', () => {
  test('is known by its shape, also from another copy of the package', () => {
    expect(isLatticeError(new StoreMissing('create the store first'))).toBe(true)
    expect(isLatticeError(Object.assign(new Error('x'), { code: 'CLOSED', detail: {} }))).toBe(true)
  })

  test('is not any error with a code', () => {
    expect(isLatticeError(Object.assign(new Error('x'), { code: 'ENOENT', detail: {} }))).toBe(false)
    expect(isLatticeError(Object.assign(new Error('x'), { code: 'CLOSED' }))).toBe(false)
    expect(isLatticeError(Object.assign(new Error('x'), { code: 'CLOSED', detail: null }))).toBe(false)
    expect(isLatticeError({ code: 'CLOSED', detail: {} })).toBe(false)
    expect(isLatticeError(undefined)).toBe(false)
  })

  test('codes are unique and stable in form', () => {
    expect(new Set(LATTICE_ERROR_CODES).size).toBe(LATTICE_ERROR_CODES.length)
    for (const code of LATTICE_ERROR_CODES) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
  })
})

test('a failed assertion says what should be true', () => {
  expect(() => assert(false, 'a seq is positive')).toThrow(InvariantViolation)
  expect(() => assert(false, 'a seq is positive')).toThrow('a seq is positive')
  expect(() => assert(true, 'nothing')).not.toThrow()
  expect(() => unreachable('left over' as never)).toThrow('left over')
})

test('the silent logger takes everything', () => {
  expect(silentLogger.error('lost', { why: 'test' })).toBeUndefined()
})
