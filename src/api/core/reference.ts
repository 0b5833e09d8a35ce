import { type Infer, object, optional, required, string } from '../../schema/index.ts'

export const localObjectReferenceSchema = object(
  'LocalObjectReference',
  {
    name: optional(1, string()),
  },
  { atomic: true },
)
export type LocalObjectReference = Infer<typeof localObjectReferenceSchema>

export const objectReferenceSchema = object(
  'ObjectReference',
  {
    kind: optional(1, string()),
    namespace: optional(2, string()),
    name: optional(3, string()),
    uid: optional(4, string()),
    apiVersion: optional(5, string()),
    resourceVersion: optional(6, string()),
    fieldPath: optional(7, string()),
  },
  { atomic: true },
)
export type ObjectReference = Infer<typeof objectReferenceSchema>

export const typedLocalObjectReferenceSchema = object(
  'TypedLocalObjectReference',
  {
    apiGroup: optional(1, string()),
    kind: required(2, string()),
    name: required(3, string()),
  },
  { atomic: true },
)
export type TypedLocalObjectReference = Infer<typeof typedLocalObjectReferenceSchema>

const secretReferenceSchema = object(
  'SecretReference',
  {
    name: optional(1, string()),
    namespace: optional(2, string()),
  },
  { atomic: true },
)
export type SecretReference = Infer<typeof secretReferenceSchema>
