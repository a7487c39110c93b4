import { describe, expect, test } from 'vitest'
import { withShortIds } from './store-history.ts'

const id = `0x${'ab'.repeat(32)}`

describe('what an intention did', () => {
  test('names ids by their beginning', () => {
    expect(withShortIds(`(child-add ${id} "kid" "core:kvstore")`)).toBe('(child-add abababababab "kid" "core:kvstore")')
    expect(withShortIds(`(batch (peer-set-name ${id} "a") (x ${id}))`)).toBe(
      '(batch (peer-set-name abababababab "a") (x abababababab))',
    )
  })

  test('keeps what somebody wrote, and what is no id', () => {
    for (const text of [`(put "k" "see ${id}")`, String.raw`(put "a\"${id}" "b")`, `(put ${id}ab)`, '(put 0xff00)']) {
      expect(withShortIds(text)).toBe(text)
    }
  })
})
