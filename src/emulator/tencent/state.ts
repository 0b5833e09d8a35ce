import type { LoadBalancer, Task, UsedToken } from './model.ts'

/** Everything that the cloud knows and keeps over a restart. */
export interface State {
  readonly loadBalancers: ReadonlyMap<string, LoadBalancer>
  /** Tags by load balancer; they change while a task holds its lock. */
  readonly tags: ReadonlyMap<string, Readonly<Record<string, string>>>
  /** In the order of their start. */
  readonly tasks: ReadonlyMap<string, Task>
  readonly tokens: ReadonlyMap<string, UsedToken>
  /** When load balancers were deleted lately, for the limit on deletions. */
  readonly deletions: readonly number[]
}

/** One change of the state; null removes. What is written to the journal. */
export type Event =
  | { readonly loadBalancer: string; readonly to: LoadBalancer | null }
  | { readonly tags: string; readonly to: Readonly<Record<string, string>> | null }
  | { readonly task: string; readonly to: Task | null }
  | { readonly token: string; readonly to: UsedToken | null }
  | { readonly deletions: readonly number[] }

export const emptyState: State = {
  loadBalancers: new Map(),
  tags: new Map(),
  tasks: new Map(),
  tokens: new Map(),
  deletions: [],
}

/** The state after `events`. */
export const evolve = (state: State, events: readonly Event[]): State => events.reduce(after, state)

const after = (state: State, event: Event): State => {
  if ('loadBalancer' in event) return { ...state, loadBalancers: put(state.loadBalancers, event.loadBalancer, event.to) }
  if ('tags' in event) return { ...state, tags: put(state.tags, event.tags, event.to) }
  if ('task' in event) return { ...state, tasks: put(state.tasks, event.task, event.to) }
  if ('token' in event) return { ...state, tokens: put(state.tokens, event.token, event.to) }
  return { ...state, deletions: event.deletions }
}

const put = <T>(map: ReadonlyMap<string, T>, key: string, value: T | null): ReadonlyMap<string, T> => {
  const next = new Map(map)
  if (value === null) next.delete(key)
  else next.set(key, value)
  return next
}

/** The whole state as events from nothing. */
export const asEvents = (state: State): readonly Event[] => [
  ...[...state.loadBalancers].map(([id, to]) => ({ loadBalancer: id, to })),
  ...[...state.tags].map(([id, to]) => ({ tags: id, to })),
  ...[...state.tasks].map(([id, to]) => ({ task: id, to })),
  ...[...state.tokens].map(([id, to]) => ({ token: id, to })),
  { deletions: state.deletions },
]

export const runningTasks = (state: State): readonly Task[] =>
  [...state.tasks.values()].filter(({ status }) => status === 'running')

/** The task that holds a load balancer's lock. */
export const lockHolder = (state: State, loadBalancerId: string): Task | undefined =>
  runningTasks(state).find(({ loadBalancerIds }) => loadBalancerIds.includes(loadBalancerId))

/** Ended tasks beyond this many are forgotten, the oldest first. */
const KEPT_TASKS = 2_000

/** The end of a task: what it set out to do, or (`failure`) nothing but the message. */
export const settle = (state: State, taskId: string, failure?: string): readonly Event[] => {
  const task = state.tasks.get(taskId)
  if (task === undefined || task.status !== 'running') return []
  const { outcome = {}, ...ended } = task
  const status = failure === undefined ? 'succeeded' : 'failed'
  return [
    ...(failure === undefined ? Object.entries(outcome).flatMap(([id, to]) => replaced(id, to)) : undone(state, task)),
    { task: taskId, to: { ...ended, status, message: failure ?? '' } },
    ...forgotten(state, taskId),
  ]
}

const replaced = (id: string, to: LoadBalancer | null): readonly Event[] =>
  to === null
    ? [
        { loadBalancer: id, to },
        { tags: id, to: null },
      ]
    : [{ loadBalancer: id, to }]

/** A load balancer whose creation fails was never there; its token may be used again. */
const undone = (state: State, task: Task): readonly Event[] => {
  const gone = task.loadBalancerIds.filter((id) => state.loadBalancers.get(id)?.isReady === false)
  const tokens = [...state.tokens].filter(([, { loadBalancerIds }]) => loadBalancerIds.some((id) => gone.includes(id)))
  return [...gone.flatMap((id) => replaced(id, null)), ...tokens.map(([token]) => ({ token, to: null }))]
}

const forgotten = (state: State, justEnded: string): readonly Event[] => {
  const excess = state.tasks.size - KEPT_TASKS
  if (excess <= 0) return []
  const old = [...state.tasks.values()].filter(({ id, status }) => status !== 'running' && id !== justEnded).slice(0, excess)
  return old.map(({ id }) => ({ task: id, to: null }))
}
