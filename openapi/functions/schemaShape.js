import { schema } from '@stoplight/spectral-functions';
import { isComponent, schemas } from './walk.js';

/** Holds each schema of `part` to `shape`; `inline` spares the named components, `spared` the
    parameters that stand there. */
export default function schemaShape(document, { part, inline, spared, shape }, context) {
  return [...schemas(document, part)]
    .filter(({ where }) => !(spared && where === spared))
    .filter(({ path }) => !(inline && isComponent(path)))
    .filter(({ node, path }) => schema(node, { schema: shape }, { ...context, path })?.length)
    .map(({ path }) => ({ message: 'has another shape', path }));
}
