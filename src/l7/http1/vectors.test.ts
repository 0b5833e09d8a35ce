import net from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEngine } from '../testing/harness.ts'
import { chunks } from './vectors/chunks.ts'
import { framing } from './vectors/framing.ts'
import { heads } from './vectors/heads.ts'
import { type PodLog, startPod } from './vectors/pod.ts'
import { targets } from './vectors/targets.ts'
import type { Vector } from './vectors/vector.ts'

const PROBE = 'GET /in-step HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n\r\n'

interface Outcome {
  readonly answers: readonly number[]
  readonly pod: readonly string[]
  readonly isOpen: boolean
}

/** Cuts the bytes: whole, in two at every place in turn (a few are enough for each vector), byte by byte. */
const segmentations: readonly [string, (bytes: Buffer) => readonly Buffer[]][] = [
  ['in one', (bytes) => [bytes]],
  ['in two', (bytes) => [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)]],
  ['in two, before the last byte', (bytes) => [bytes.subarray(0, -1), bytes.subarray(-1)]],
  ['byte by byte', (bytes) => Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1))],
]

/** Longer messages differ only in length: byte by byte would be a test of patience. */
const LONG = 4_000

describe('request vectors', () => {
  let pod: PodLog
  let engine: Awaited<ReturnType<typeof startEngine>>

  beforeAll(async () => {
    pod = await startPod()
    engine = await startEngine([pod.port], { headTimeoutMs: 5_000, bodyTimeoutMs: 5_000 })
  })

  afterAll(async () => {
    await engine.stop()
    pod.close()
  })

  const vectors = { framing, chunks, heads, targets }

  it('are more than 300, none twice', () => {
    const all = Object.values(vectors).flat()
    expect(all.length).toBeGreaterThan(300)
    expect(new Set(all.map(({ send }) => send)).size).toBe(all.length)
  })

  describe.each(Object.entries(vectors))('%s', (_theme, list) => {
    it.each(list.map((vector) => [JSON.stringify(vector.send).slice(0, 120), vector] as const))('%s', async (_name, vector) => {
      for (const [segmentation, cut] of segmentations) {
        const bytes = Buffer.from(vector.send, 'latin1')
        if (bytes.length > LONG && segmentation === 'byte by byte') continue
        const outcome = await converse(engine.port, pod, cut(bytes), vector)
        expect(outcome, `${segmentation}: ${vector.why}`).toEqual({
          answers: vector.answers,
          pod: vector.pod,
          isOpen: vector.isOpen,
        })
      }
    })
  })
})

/** Sends the pieces, each in a packet of its own; when the answers are in, sees whether the connection is still in step. */
const converse = (port: number, pod: PodLog, pieces: readonly Buffer[], vector: Vector): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    pod.clear()
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    let text = ''
    let probed = false
    const finish = (): void => {
      const answers = [...text.matchAll(/HTTP\/1\.1 ([2-5]\d\d) /g)].map(([, status]) => Number(status))
      const isInStep = pod.requests.at(-1) === 'GET /in-step '
      resolve({
        answers: isInStep ? answers.slice(0, -1) : answers,
        pod: isInStep ? pod.requests.slice(0, -1) : [...pod.requests],
        isOpen: isInStep,
      })
    }
    socket.on('error', () => {})
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      const count = text.split(/HTTP\/1\.1 [2-5]\d\d /).length - 1
      if (!vector.isOpen || probed || count < vector.answers.length) return
      probed = true
      socket.write(PROBE)
    })
    socket.on('close', finish)
    socket.setTimeout(8_000, () => {
      socket.destroy()
      reject(new Error(`no end; received ${JSON.stringify(text)}`))
    })
    let next = 0
    const send = (): void => {
      const piece = pieces[next++]
      if (piece === undefined || socket.destroyed || !socket.writable) return
      socket.write(piece, () => setImmediate(send))
    }
    socket.once('connect', send)
  })
