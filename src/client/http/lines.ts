import { ConnectionError } from '../client.ts'

const NEWLINE = 0x0a

/** The lines of a byte stream; throws `ConnectionError` for one above `limit` bytes and for a last one without its end. */
export async function* readLines(stream: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  const keep = (part: Buffer): void => {
    size += part.length
    if (size > limit) throw new ConnectionError(`the API server sent a watch event of more than ${limit} bytes`)
    if (part.length > 0) parts.push(part)
  }
  for await (const bytes of stream) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      keep(chunk.subarray(start, end))
      const line = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
      parts = []
      size = 0
      start = end + 1
      if (line.length > 0) yield line
    }
    keep(chunk.subarray(start))
  }
  if (size > 0) throw new ConnectionError('the connection broke in the middle of a watch event')
}
