export { createOpenApi, type OpenApi, type OpenApiDocument } from './documents.ts'
