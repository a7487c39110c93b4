import { create } from '@bufbuild/protobuf'
import { daemon, kv } from '@lattice/proto'
import { describe, expect, test } from 'vitest'
import { createFakeNode, idOf } from '../../test/fake-node.ts'
import { run } from '../../test/fake-process.ts'
import { answerText } from './answer-text.ts'
import { PLAIN_STYLE } from './style.ts'
import { systemTableText } from './system-table.ts'
import { renderTable } from './table.ts'

const options = { style: PLAIN_STYLE, full: false, width: undefined, formatOf: () => undefined }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('the answer of a query', () => {
  const get = (fields: { value?: Uint8Array; conflicted?: boolean }): ReturnType<typeof answerText> =>
    answerText(kv.GetResponseSchema, create(kv.GetResponseSchema, fields), options)

  test('is the value it is about, bare', () => {
    expect(get({ value: bytes('v') })).toEqual({ isFound: true, text: 'v', note: '' })
    expect(get({ value: bytes('') })).toEqual({ isFound: true, text: '', note: '' })
  })

  test('of a conflicted key is the value all the same, and a note', () => {
    expect(get({ value: bytes('v'), conflicted: true })).toMatchObject({
      text: 'v',
      note: expect.stringContaining("'inspect' shows them") as string,
    })
  })

  test('says when nothing is there', () => {
    expect(get({})).toEqual({ isFound: false, text: '', note: '' })
  })

  test('is shown whole when it is about no one value', () => {
    const answer = create(kv.CountResponseSchema, { count: 3n })
    expect(answerText(kv.CountResponseSchema, answer, options)).toEqual({ isFound: true, text: '3', note: '' })
  })

  test('with a conflict goes to stdout as the value, and to stderr as the note', async () => {
    const node = createFakeNode(['notes'])
    await run(['put', 'k', 'v'], node)
    node.conflicts.add('k')
    const { exitCode, stdout, stderr } = await run(['get', 'k'], node)
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'v\n' })
    expect(stderr).toContain('conflicted')
    expect(JSON.parse((await run(['--json', 'get', 'k'], node)).stdout)).toEqual({ value: 'v', conflicted: true })
  })
})

describe('a table', () => {
  const columns = [{ header: 'KEY' }, { header: 'VALUE' }, { header: 'END' }]
  const wide = 'x'.repeat(500)

  test('without a terminal is whole, and one wide cell does not move the other rows', () => {
    const text = renderTable({
      columns,
      rows: [
        ['a', wide, 'e'],
        ['b', 'short', 'e'],
      ],
      style: PLAIN_STYLE,
      width: undefined,
    })
    const [, first, second] = text.split('\n')
    expect(first).toBe(`a    ${wide}  e`)
    expect(second?.length).toBeLessThan(100)
  })

  test('on a terminal keeps each row on one line', () => {
    const text = renderTable({ columns, rows: [['a', wide, 'e']], style: PLAIN_STYLE, width: 60 })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
  })

  test('on a terminal that does not tell its width is made for a usual one', async () => {
    const node = createFakeNode(['notes'])
    await run(['put', 'k', wide], node)
    const { stdout } = await run(['list'], { ...node, isTerminal: true, columns: 0 })
    expect(stdout).toContain('x'.repeat(20))
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThan(100)
  })
})

test('the system table is decoded: short ids, times, and the bytes of what does not decode', () => {
  const hex = '3f'.repeat(32)
  const { entries } = create(daemon.ListSystemResponseSchema, {
    entries: [
      { key: 'name', value: 'team' },
      { key: `peer/${hex}/added-at`, value: '1700000000000', conflicted: true },
      { key: `peer/${hex}/added-by`, value: hex },
      { key: 'strategy', raw: idOf(0xff).slice(0, 3) },
    ],
  })
  expect(systemTableText(entries, options)).toMatchInlineSnapshot(`
    "KEY                         VALUE
    name                        team
    peer/3f3f3f3f3f3f/added-at  2023-11-14 22:13:20Z  conflicted
    peer/3f3f3f3f3f3f/added-by  3f3f3f3f3f3f
    strategy                    ffffff"
  `)
  expect(systemTableText(entries, { ...options, full: true })).toContain(`peer/${hex}/added-by`)
})
