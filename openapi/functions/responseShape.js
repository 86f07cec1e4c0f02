import { schema } from '@stoplight/spectral-functions';
import { responses } from './walk.js';

/** Holds each response whose status matches `statuses` to `shape`. */
export default function responseShape(document, { statuses, shape }, context) {
  const chosen = new RegExp(statuses);
  return [...responses(document)]
    .filter(({ status }) => chosen.test(status))
    .filter(({ node, path }) => schema(node, { schema: shape }, { ...context, path })?.length)
    .map(({ path }) => ({ message: 'has another shape', path }));
}
