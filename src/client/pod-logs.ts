/** Where the logs of Pods come from: the node writes them, the API server serves them. Rejects with `ApiError` when there is no such log. */
export interface PodLogs {
  read(request: PodLogRequest): Promise<AsyncIterable<Uint8Array>>
}

/** What `kubectl logs` asks for. */
export interface PodLogRequest {
  readonly namespace: string
  readonly name: string
  readonly container: string
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
  readonly limitBytes?: number
  readonly signal: AbortSignal
}
