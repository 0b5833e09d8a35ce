export { CLASS_ANNOTATION, type ClassConfig, type ClassDecision, CONTROLLER_NAME, selectClass } from './class.ts'
export { compileHost, type LostRoute } from './host.ts'
export { byAge, keyOf, type RouteProblem, type RouteProblemReason } from './problem.ts'
export { type RouteSources, Routes } from './routes.ts'
