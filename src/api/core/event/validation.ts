import type { Problem } from '../../kind.ts'
import { dns1123LabelErrors, qualifiedNameErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import type { Event } from './schema.ts'

const MAX_ACTION_BYTES = 128
const MAX_REASON_BYTES = 128
const MAX_NOTE_BYTES = 1024

/** All problems of an Event: one of the older form is taken as it comes, one with `eventTime` must be whole. */
export const validateEvent = (event: Event, old?: Event): readonly Problem[] => {
  const problems = new Problems()
  const { namespace = '' } = event.metadata
  const about = event.involvedObject.namespace ?? ''
  // An Event about an object of the cluster lies in one of two namespaces.
  const expected = about === '' ? ['default', 'kube-system'] : [about]
  if (!expected.includes(namespace)) {
    problems.invalid('involvedObject.namespace', about, 'does not match event.namespace')
  }
  if (about !== '') problems.invalidEach('involvedObject.namespace', about, dns1123LabelErrors(about))
  if (event.eventTime !== undefined && old === undefined) validateNewForm(problems, event)
  return problems.list
}

const validateNewForm = (problems: Problems, event: Event): void => {
  const { reportingComponent = '', reportingInstance = '', action = '', reason = '', message = '', type = '' } = event
  if (reportingComponent === '') problems.required('reportingController')
  else problems.invalidEach('reportingController', reportingComponent, qualifiedNameErrors(reportingComponent))
  const texts = [
    ['reportingInstance', reportingInstance, MAX_ACTION_BYTES],
    ['action', action, MAX_ACTION_BYTES],
    ['reason', reason, MAX_REASON_BYTES],
  ] as const
  for (const [field, text, max] of texts) {
    if (text === '') problems.required(field)
    else if (Buffer.byteLength(text) > max) problems.tooLong(field, max)
  }
  if (Buffer.byteLength(message) > MAX_NOTE_BYTES) problems.tooLong('message', MAX_NOTE_BYTES)
  if (type !== 'Normal' && type !== 'Warning') problems.invalid('type', type, "must be 'Normal' or 'Warning'")
}
