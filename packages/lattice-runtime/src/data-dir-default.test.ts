import { describe, expect, test } from 'vitest'
import { defaultDataDir } from './data-dir-default.ts'

describe('defaultDataDir', () => {
  test('the environment decides before the platform', () => {
    expect(defaultDataDir({ LATTICE_DATA_DIR: '/data', HOME: '/home/a' }, 'linux')).toBe('/data')
  })

  test.each([
    ['linux', { HOME: '/home/a' }, '/home/a/.local/share/lattice'],
    ['linux', { HOME: '/home/a', XDG_DATA_HOME: '/xdg' }, '/xdg/lattice'],
    ['linux', { HOME: '/home/a', XDG_DATA_HOME: 'relative' }, '/home/a/.local/share/lattice'],
    ['darwin', { HOME: '/Users/a' }, '/Users/a/Library/Application Support/lattice'],
  ] as const)('%s with %o', (platform, env, expected) => {
    expect(defaultDataDir(env, platform)).toBe(expected)
  })

  test('an empty variable counts as unset', () => {
    expect(defaultDataDir({ LATTICE_DATA_DIR: '', XDG_DATA_HOME: '', HOME: '/home/a' }, 'linux')).toBe(
      '/home/a/.local/share/lattice',
    )
  })
})
