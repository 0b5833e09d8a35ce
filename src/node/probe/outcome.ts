/** What one try of a handler gave. `output` is for Events. */
export interface HandlerOutcome {
  readonly ok: boolean
  readonly output: string
}
