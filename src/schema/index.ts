export { duplicateFields } from './duplicate-fields.ts'
export { type JsonSchema, type NamedScalar, namedScalarSchemas, nodeSchema, objectSchema, type RefOf } from './json-schema.ts'
export { itemNode, type MergeRule, mergeRule } from './merge-keys.ts'
export { decodeProtobuf, isProtobuf, type ProtobufEnvelope, ProtobufError, readEnvelope } from './protobuf.ts'
export type {
  EmbedNode,
  Field,
  FieldNode,
  Infer,
  LazyNode,
  ListNode,
  ListOptions,
  MapNode,
  Node,
  ObjectNode,
  ObjectOf,
  ObjectSchema,
  ScalarNode,
  Schema,
  StringFormat,
} from './schema.ts'
export {
  always,
  any,
  boolean,
  bytes,
  double,
  embed,
  int32,
  int64,
  intOrString,
  lazy,
  list,
  map,
  microTime,
  object,
  oneOf,
  optional,
  quantity,
  required,
  string,
  time,
} from './schema.ts'
export { checkStructure, type StructureError, type StructureOptions, type StructureResult } from './structure.ts'
