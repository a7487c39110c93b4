import { create } from '@bufbuild/protobuf'
import { system, weaver } from '@lattice/proto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crypto, errorOf, genesisOf, signerOf, valueOf, writeOf } from '../test/support.ts'
import { toHex } from './bytes.ts'
import { intentionToSExpr } from './intention-sexpr.ts'
import { formatSExpr, MAX_SEXPR_DEPTH } from './sexpr-format.ts'
import { DEFAULT_SEXPR_LIMITS, parseSExpr } from './sexpr-parse.ts'
import { int, list, raw, type SExpr, str, sym } from './sexpr.ts'
import { signIntention } from './signed-intention.ts'
import { encodeUniversalOp } from './universal-op.ts'

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.string({ unit: fc.constantFrom('"', '|', '\\', '\n', '\u202e', '\ud800', '0', 'x', '-') }),
)
const { value: values } = fc.letrec<{ value: SExpr }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    anyText.map(sym),
    anyText.map(str),
    fc.uint8Array({ maxLength: 20 }).map(raw),
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(int),
    fc.array(tie('value'), { maxLength: 5 }).map((items) => list(...items)),
  ),
}))

function nested(depth: number): SExpr {
  let value = list()
  for (let level = 1; level < depth; level += 1) value = list(value)
  return value
}

describe('S-expressions', () => {
  test('read back as printed, on one line or many', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 60 }), (value, width) => {
        const line = formatSExpr(value)
        expect(line).not.toContain('\n')
        expect(valueOf(parseSExpr(line))).toEqual(value)
        const pretty = formatSExpr(value, { pretty: true, width })
        expect(valueOf(parseSExpr(pretty))).toEqual(value)
        expect(formatSExpr(valueOf(parseSExpr(pretty)))).toBe(line)
      }),
      { numRuns: 300 },
    )
  })

  test('never print what steers a terminal or hides text', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(formatSExpr(value)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }),
    )
  })

  test.each<{ readonly value: SExpr; readonly text: string }>([
    { value: sym('store-prev'), text: 'store-prev' },
    { value: sym(':counter'), text: ':counter' },
    { value: sym(''), text: '||' },
    { value: sym('-1'), text: '|-1|' },
    { value: sym('0xff'), text: '|0xff|' },
    { value: sym('a|b c'), text: '|a\\|b c|' },
    { value: sym('-'), text: '-' },
    { value: str('say "hi"\n\u001b[31m'), text: '"say \\"hi\\"\\n\\u{1b}[31m"' },
    { value: str('naïve 🎉'), text: '"naïve 🎉"' },
    { value: raw(new Uint8Array()), text: '0x' },
    { value: raw(Uint8Array.of(0, 255)), text: '0x00ff' },
    { value: int(-12), text: '-12' },
    { value: list(), text: '()' },
    { value: list(sym('a'), list(int(1), str('')), raw(Uint8Array.of(1))), text: '(a (1 "") 0x01)' },
  ])('$text is how its value prints', ({ value, text }) => {
    expect(formatSExpr(value)).toBe(text)
    expect(valueOf(parseSExpr(text))).toEqual(value)
  })

  test('pretty lines break where they do not fit', () => {
    const value = list(sym('put'), list(sym('key'), str('k')), list(sym('value'), str('v')))
    expect(formatSExpr(value, { pretty: true, width: 80 })).toBe('(put (key "k") (value "v"))')
    expect(formatSExpr(value, { pretty: true, width: 20 })).toBe('(put\n  (key "k")\n  (value "v"))')
  })

  test.each([
    ['', 'sexpr_empty', 0],
    ['  ', 'sexpr_empty', 2],
    ['(', 'sexpr_unbalanced', 1],
    [')', 'sexpr_unbalanced', 0],
    ['(a))', 'sexpr_trailing', 3],
    ['a b', 'sexpr_trailing', 2],
    ['0x0', 'sexpr_bad_atom', 0],
    ['0xgg', 'sexpr_bad_atom', 0],
    ['12a', 'sexpr_bad_atom', 0],
    ['1.5', 'sexpr_bad_atom', 0],
    ['a"b"', 'sexpr_bad_atom', 1],
    ['"a"b', 'sexpr_bad_atom', 3],
    ["'a", 'sexpr_bad_atom', 0],
    ['é', 'sexpr_bad_atom', 0],
    ['"a', 'sexpr_unterminated', 0],
    ['|a', 'sexpr_unterminated', 0],
    ['"\\q"', 'sexpr_bad_escape', 1],
    ['"\\u{110000}"', 'sexpr_bad_escape', 1],
    ['"\\u{}"', 'sexpr_bad_escape', 1],
    ['"\\', 'sexpr_bad_escape', 1],
  ])('%j is refused', (text, code, offset) => {
    expect(errorOf(parseSExpr(text))).toEqual({ code, offset })
  })

  test('length, depth and digits are bounded', () => {
    const limits = { maxLength: 10, maxDepth: 2, maxDigits: 3 }
    expect(errorOf(parseSExpr('aaaaaaaaaaa', limits)).code).toBe('sexpr_too_long')
    expect(errorOf(parseSExpr('((()))', limits)).code).toBe('sexpr_too_deep')
    expect(parseSExpr('(())', limits).ok).toBe(true)
    expect(parseSExpr('-999', limits).ok).toBe(true)
    expect(errorOf(parseSExpr('-9999', limits)).code).toBe('sexpr_bad_atom')
    expect(errorOf(parseSExpr('9999', limits)).code).toBe('sexpr_bad_atom')
    expect(errorOf(parseSExpr('('.repeat(100_000))).code).toBe('sexpr_too_deep')
    expect(errorOf(parseSExpr('a'.repeat(DEFAULT_SEXPR_LIMITS.maxLength + 1))).code).toBe('sexpr_too_long')
  })

  test('what is nested too deep is cut, not an exhausted stack', () => {
    expect(formatSExpr(nested(MAX_SEXPR_DEPTH))).toBe('('.repeat(MAX_SEXPR_DEPTH) + ')'.repeat(MAX_SEXPR_DEPTH))
    for (const pretty of [true, false]) {
      const text = formatSExpr(nested(100_000), { pretty })
      expect(text).toContain('...')
      expect(parseSExpr(text).ok).toBe(true)
    }
  })

  test('any text is answered', () => {
    const soup = fc.string({ unit: fc.constantFrom('(', ')', '"', '|', '\\', ' ', 'a', '0', 'x', '-', '\n') })
    fc.assert(
      fc.property(soup, (text) => {
        const parsed = parseSExpr(text)
        if (parsed.ok) expect(parseSExpr(formatSExpr(parsed.value))).toEqual(parsed)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the view of an intention', () => {
  const author = signerOf(1)
  const genesis = genesisOf(author)
  const intention = { ...writeOf(author, { storePrev: genesis.id }), hints: { supersedesAll: false, ephemeral: true } }
  const write = signIntention(crypto, author, { intention, close: false })
  const [key, id] = [toHex(author.publicKey), toHex(genesis.id)]

  test('names every part, and reads back', () => {
    const view = intentionToSExpr(write)
    expect(formatSExpr(view)).toBe(
      `(intention (id 0x${toHex(write.id)}) (author 0x${key}) (timestamp 2000 :counter 0) (store-prev 0x${id}) (deps 0x${id}) (hints ephemeral) (ops (app-data :schema 1 0x616263)))`,
    )
    expect(valueOf(parseSExpr(formatSExpr(view, { pretty: true })))).toEqual(view)
  })

  test('of a genesis shows what it says', () => {
    expect(formatSExpr(intentionToSExpr(genesis))).toContain(
      `(deps) (ops (genesis :type "test:plain" :nonce 0x${'07'.repeat(16)}))`,
    )
  })

  test('takes the payload as the state machine sees it, where it does', () => {
    const put = list(sym('put'), str('k'))
    const view = intentionToSExpr(write, (op) => (op.kind === 'appData' ? put : undefined))
    expect(formatSExpr(view)).toContain('(ops (put "k"))')
    expect(formatSExpr(intentionToSExpr(genesis, () => undefined))).toContain('(genesis ')
  })

  test.each<[weaver.EpochCause['cause'], string]>([
    [{ case: 'initial', value: create(weaver.InitialCauseSchema) }, 'initial'],
    [{ case: 'joinOfEpochs', value: create(weaver.JoinOfEpochsCauseSchema) }, 'join-of-epochs'],
    [
      { case: 'setAside', value: create(weaver.SetAsideCauseSchema, { epochs: [Uint8Array.of(6), Uint8Array.of(7)] }) },
      '(set-aside 0x06 0x07)',
    ],
    [{ case: undefined }, 'none'],
    [{ case: 'prune', value: create(weaver.PruneCauseSchema) }, 'prune'],
    [{ case: 'prune', value: create(weaver.PruneCauseSchema, { below: Uint8Array.of(5) }) }, '(prune :below 0x05)'],
    [
      {
        case: 'membership',
        value: create(weaver.MembershipCauseSchema, {
          removals: [{ peer: Uint8Array.of(1) }, { peer: Uint8Array.of(2), remains: system.Role.READER }],
        }),
      },
      '(membership (0x01 none) (0x02 reader))',
    ],
    [
      {
        case: 'parent',
        value: create(weaver.ParentCauseSchema, { store: Uint8Array.of(3), epoch: Uint8Array.of(4) }),
      },
      '(parent :store 0x03 :epoch 0x04)',
    ],
  ])('of an epoch says what it is for (%#)', (cause, shown) => {
    const value = create(weaver.EpochOpSchema, { seq: 7n, requiredAcks: [Uint8Array.of(9)], cause: { cause } })
    const ops = encodeUniversalOp({ kind: 'epoch', schema: 0, value })
    const epoch = signIntention(crypto, author, { intention: { ...intention, ops }, close: true })
    const view = intentionToSExpr(epoch)
    expect(formatSExpr(view)).toContain(`(ops (epoch :seq 7 :cause ${shown} (required-acks 0x09)))`)
    expect(valueOf(parseSExpr(formatSExpr(view)))).toEqual(view)
  })

  test('of ops that cannot be read shows them as bytes', () => {
    const unreadable = signIntention(crypto, author, {
      intention: { ...intention, ops: Uint8Array.of(255) },
      close: true,
    })
    expect(formatSExpr(intentionToSExpr(unreadable))).toContain('(ops (unknown 0xff))')
  })
})
