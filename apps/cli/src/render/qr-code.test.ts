import * as fc from 'fast-check'
import { decodeQR } from 'qr/decode.js'
import { describe, expect, test } from 'vitest'
import { qrCodeText } from './qr-code.ts'

/** Sees what a camera sees of the lines: `dark` and `light` by character half. */
function scan(text: string, isBlackOnWhite: boolean): string {
  // oxlint-disable-next-line no-control-regex -- Colours begin with one.
  const rows = text.split('\n').map((line) => line.replaceAll(/\u001B\[[0-9;]*m/gu, '').split(''))
  const scale = 4
  const columns = rows[0]?.length ?? 0
  const [width, height] = [columns * scale, rows.length * 2 * scale]
  const data = new Uint8Array(width * height * 4).fill(255)
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const half = Math.floor(y / scale)
      const cell = rows[Math.floor(half / 2)]?.[Math.floor(x / scale)] ?? ' '
      const isDrawn = cell === '█' || cell === (half % 2 === 0 ? '▀' : '▄')
      const value = isDrawn === isBlackOnWhite ? 0 : 255
      data.fill(value, (y * width + x) * 4, (y * width + x) * 4 + 3)
    }
  }
  return decodeQR({ width, height, data })
}

const text = (content: string, colour: boolean): string => {
  const drawn = qrCodeText(content, { width: undefined, colour })
  return drawn.ok ? drawn.value : 'none'
}

describe('a QR code', () => {
  test.each([true, false])('scans as the text in upper case (colour: %s)', (colour) => {
    fc.assert(
      fc.property(fc.stringMatching(/^lattice1[02-9ac-hj-np-z]{100,400}$/u), (token) => {
        expect(scan(text(token, colour), colour)).toBe(token.toUpperCase())
      }),
      { numRuns: 10 },
    )
  })

  test('has a quiet zone of four modules on every side', () => {
    const lines = text('lattice1x', false).split('\n')
    const full = '█'.repeat(lines[0]?.length ?? 0)
    expect(lines.slice(0, 2)).toEqual([full, full])
    // An odd number of rows ends in half a line.
    expect(lines.slice(-2)).toEqual([full, '▀'.repeat(full.length)])
    for (const line of lines.slice(0, -1)) expect(line).toMatch(/^████.*████$/u)
  })

  test('of a token with two addresses fits a terminal of 80 columns', () => {
    expect(text(`lattice1${'q'.repeat(320)}`, true).split('\n').length * 2).toBeLessThanOrEqual(80)
  })

  test('is refused where there is no room, and for what would not read the same in upper case', () => {
    expect(qrCodeText('lattice1x', { width: 20, colour: true })).toMatchObject({
      ok: false,
      error: { code: 'too_narrow', needs: 29, has: 20 },
    })
    for (const content of ['', 'a b', 'grüße', 'q'.repeat(5000)]) {
      expect(qrCodeText(content, { width: undefined, colour: true })).toEqual({
        ok: false,
        error: { code: 'too_long' },
      })
    }
  })
})
