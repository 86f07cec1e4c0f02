// Walks the document as it was written, following local references, so that each schema is met
// where it stands and once. JSONPath cannot: a payload field may be called `properties` or `enum`.

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const COMBINERS = ['allOf', 'anyOf', 'oneOf'];

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value);
const entries = value => (isObject(value) ? Object.entries(value) : []);
const list = value => (Array.isArray(value) ? value : []);
const unescape = step => step.replace(/~1/g, '/').replace(/~0/g, '~');

/** The node and its path, or what its local reference names and where that stands. */
export function follow(document, node, path = []) {
  if (typeof node?.$ref !== 'string') return { node, path };
  if (!node.$ref.startsWith('#/')) return { node: undefined, path };
  const steps = node.$ref.slice(2).split('/').map(unescape);
  return { node: steps.reduce((value, step) => value?.[step], document), path: steps };
}

export function* operations(document) {
  for (const [name, item] of entries(document.paths))
    for (const method of METHODS)
      if (isObject(item?.[method])) yield { node: item[method], item, path: ['paths', name, method] };
}

export function* responses(document) {
  for (const { node, path } of operations(document))
    for (const [status, response] of entries(node.responses))
      yield { status, ...follow(document, response, [...path, 'responses', status]) };
}

function* bodySchemas(document, body, path) {
  const found = follow(document, body, path);
  for (const [type, media] of entries(found.node?.content))
    yield { node: media?.schema, path: [...found.path, 'content', type, 'schema'] };
}

function* valueSchemas(document, values, path) {
  const named = Array.isArray(values) ? [...values.entries()] : entries(values);
  for (const [name, value] of named) {
    const found = follow(document, value, [...path, String(name)]);
    yield { node: found.node?.schema, path: [...found.path, 'schema'], where: found.node?.in };
  }
}

function* callbackOperations(document, callbacks, path) {
  for (const [name, callback] of entries(callbacks)) {
    const found = follow(document, callback, [...path, name]);
    for (const [address, item] of entries(found.node))
      for (const method of METHODS)
        if (isObject(item?.[method])) yield { node: item[method], path: [...found.path, address, method] };
  }
}

function* requestRoots(document) {
  for (const { node, item, path } of operations(document)) {
    yield* valueSchemas(document, item.parameters, [...path.slice(0, -1), 'parameters']);
    yield* valueSchemas(document, node.parameters, [...path, 'parameters']);
    yield* bodySchemas(document, node.requestBody, [...path, 'requestBody']);
  }
}

// What the gateway says: its responses, and the bodies of its callbacks.
function* responseRoots(document) {
  for (const { node, path } of responses(document)) {
    yield* valueSchemas(document, node?.headers, [...path, 'headers']);
    yield* bodySchemas(document, node, path);
  }
  for (const operation of operations(document))
    for (const { node, path } of callbackOperations(
      document, operation.node.callbacks, [...operation.path, 'callbacks']))
      yield* bodySchemas(document, node.requestBody, [...path, 'requestBody']);
}

function* componentRoots(document) {
  const { components } = document;
  for (const [name, node] of entries(components?.schemas))
    yield { node, path: ['components', 'schemas', name] };
  for (const kind of ['parameters', 'headers'])
    yield* valueSchemas(document, components?.[kind], ['components', kind]);
  for (const kind of ['requestBodies', 'responses'])
    for (const [name, body] of entries(components?.[kind]))
      yield* bodySchemas(document, body, ['components', kind, name]);
}

const ROOTS = {
  requests: [requestRoots],
  responses: [responseRoots],
  everywhere: [requestRoots, responseRoots, componentRoots],
};

function* children({ node, path }) {
  for (const [name, value] of entries(node.properties))
    yield { node: value, path: [...path, 'properties', name] };
  for (const word of ['items', 'additionalProperties', 'not'])
    yield { node: node[word], path: [...path, word] };
  for (const word of COMBINERS)
    for (const [index, value] of list(node[word]).entries())
      yield {
        node: value,
        path: [...path, word, String(index)],
        alternatives: word === 'anyOf' ? node.anyOf : undefined,
      };
}

function* descend(document, place, seen) {
  const key = JSON.stringify(place.path);
  if (!isObject(place.node) || seen.has(key)) return;
  seen.add(key);
  yield place;
  if (place.node.$ref) yield* descend(document, follow(document, place.node), seen);
  for (const child of children(place)) yield* descend(document, child, seen);
}

/** Each schema of `part` (everywhere, requests, responses), with the anyOf it stands in and,
    right beneath a parameter, where that stands. */
export function* schemas(document, part) {
  const seen = new Set();
  for (const root of ROOTS[part])
    for (const place of root(document)) yield* descend(document, place, seen);
}

export const isComponent = path =>
  path.length === 3 && path[0] === 'components' && path[1] === 'schemas';
