import { describe, expect, test } from 'vitest'
import { parseCloseReason } from './iroh-connection.ts'
import { describeFailure, toNumbers } from './native.ts'

describe('what the binding says', () => {
  test('a failure is one line, without source positions or a stack', () => {
    const text = [
      'ConnectError::Connecting (/build/src/endpoint.rs:1060:20)',
      'Caused by:',
      '    the handshake failed',
      '',
      'Stack backtrace:',
      '   0: main',
    ].join('\n')
    expect(describeFailure(new Error(text))).toBe('ConnectError::Connecting: the handshake failed')
    expect(describeFailure('x'.repeat(1000))).toHaveLength(200)
  })

  test('the ways a connection ends are told apart', () => {
    expect(parseCloseReason('closed by peer: bye (for now) (code 5)')).toEqual({
      by: 'remote',
      message: 'bye (for now)',
    })
    expect(parseCloseReason('closed by peer: 0')).toEqual({ by: 'remote', message: '0' })
    expect(parseCloseReason('timed out')).toEqual({ by: 'lost', message: 'timed out' })
    expect(parseCloseReason('closed').by).toBe('local')
  })

  test('bytes become plain numbers', () => {
    expect(toNumbers(new Uint8Array([0, 127, 128, 255]))).toEqual([0, 127, 128, 255])
  })
})
