import grpc from '@grpc/grpc-js'

/** Bytes as they are: no code generation is needed to speak gRPC. */
const method = (path: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: (value) => value,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (value) => value,
  responseDeserialize: (bytes) => bytes,
})

export const echoService = {
  unary: method('/test.Echo/Unary', false, false),
  serverStream: method('/test.Echo/ServerStream', false, true),
  clientStream: method('/test.Echo/ClientStream', true, false),
  bidi: method('/test.Echo/Bidi', true, true),
}

export interface GrpcPod {
  readonly port: number
  /** Calls that their clients gave up. */
  readonly cancelled: () => number
  /** Calls that have begun. */
  readonly begun: () => number
  /** No new connections; calls in progress finish. */
  drain(): Promise<void>
  close(): void
}

const SIZE = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }

/**
 * `unary` answers with the request, with `x-*` metadata of the request as metadata and trailers; a request `hang` is never answered, `fail` is
 * an error. `serverStream` counts down from the request, and hangs at `…`; `clientStream` answers the number of bytes.
 */
export const grpcPod = async (port = 0): Promise<GrpcPod> => {
  const server = new grpc.Server(SIZE)
  let cancelled = 0
  let begun = 0
  const begin = (call: { on(event: 'cancelled', then: () => void): unknown }): void => {
    begun++
    call.on('cancelled', () => cancelled++)
  }
  server.addService(echoService, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      begin(call)
      const text = call.request.toString('latin1', 0, 16)
      if (text === 'hang') return
      if (text === 'fail') {
        done({ code: grpc.status.FAILED_PRECONDITION, details: 'not now' })
        return
      }
      const asked = call.metadata.get('x-asked')
      const metadata = new grpc.Metadata()
      const trailers = new grpc.Metadata()
      for (const value of asked) metadata.add('x-heard', value)
      trailers.add('x-trailer-bin', Buffer.from([0, 1, 255]))
      call.sendMetadata(metadata)
      done(null, call.request, trailers)
    },
    serverStream: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      begin(call)
      const [count, hangs] = call.request.toString().split('…')
      for (let i = Number(count); i > 0; i--) call.write(Buffer.from(`${i}`))
      if (hangs === undefined) call.end()
    },
    clientStream: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      begin(call)
      let bytes = 0
      call.on('data', (piece: Buffer) => {
        bytes += piece.length
      })
      call.on('end', () => done(null, Buffer.from(`${bytes}`)))
    },
    bidi: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      begin(call)
      call.on('data', (piece: Buffer) => call.write(piece))
      call.on('end', () => call.end())
    },
  })
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  )
  return {
    port: bound,
    cancelled: () => cancelled,
    begun: () => begun,
    drain: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
    close: () => server.forceShutdown(),
  }
}

export type EchoClient = grpc.Client & {
  unary(
    request: Buffer,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: grpc.requestCallback<Buffer>,
  ): grpc.ClientUnaryCall
  serverStream(request: Buffer, options?: grpc.CallOptions): grpc.ClientReadableStream<Buffer>
  clientStream(done: grpc.requestCallback<Buffer>): grpc.ClientWritableStream<Buffer>
  bidi(): grpc.ClientDuplexStream<Buffer, Buffer>
}

/** A client of the engine's HTTPS port that trusts `root` and asks for `a.test`. */
export const grpcClient = (port: number, root: string): EchoClient => {
  const Echo = grpc.makeClientConstructor(echoService, 'Echo')
  const credentials = grpc.credentials.createSsl(Buffer.from(root))
  return new Echo(`127.0.0.1:${port}`, credentials, {
    ...SIZE,
    'grpc.ssl_target_name_override': 'a.test',
    'grpc.default_authority': 'a.test',
    'grpc.enable_retries': 0,
  }) as unknown as EchoClient
}

export interface Reply {
  readonly body: Buffer | undefined
  readonly code: grpc.status
  readonly details: string
  readonly metadata: grpc.Metadata
  readonly trailers: grpc.Metadata
}

export const unary = (
  client: EchoClient,
  request: Buffer | string,
  more: { readonly metadata?: grpc.Metadata; readonly deadlineMs?: number } = {},
): Promise<Reply> =>
  new Promise((resolve) => {
    let body: Buffer | undefined
    let metadata = new grpc.Metadata()
    const options = more.deadlineMs === undefined ? {} : { deadline: Date.now() + more.deadlineMs }
    const call = client.unary(Buffer.from(request), more.metadata ?? new grpc.Metadata(), options, (_error, value) => {
      body = value
    })
    call.on('metadata', (got) => {
      metadata = got
    })
    call.on('status', ({ code, details, metadata: trailers }) =>
      setImmediate(() => resolve({ body, code, details, metadata, trailers })),
    )
  })

/** What a stream brought, and how it ended. */
export const collect = (
  call: grpc.ClientReadableStream<Buffer>,
): Promise<{ readonly messages: readonly string[]; readonly code: number; readonly details: string }> =>
  new Promise((resolve) => {
    const messages: string[] = []
    call.on('data', (message: Buffer) => messages.push(message.toString()))
    call.on('error', () => {})
    call.on('status', ({ code, details }) => setImmediate(() => resolve({ messages, code, details })))
  })
