import { follow, operations, responses } from './walk.js';

function parameters(document, { node, item }) {
  return [...(item.parameters ?? []), ...(node.parameters ?? [])]
    .map(parameter => follow(document, parameter).node?.name);
}

function faults(document, link, targets) {
  const target = targets.get(link?.operationId);
  if (!target) return [`there is no operation '${link?.operationId}'`];
  return Object.keys(link.parameters ?? {})
    .filter(name => !parameters(document, target).includes(name))
    .map(name => `'${link.operationId}' has no parameter '${name}'`);
}

/** A link names an operation of this document, and parameters that it has. */
export default function links(document) {
  const targets = new Map([...operations(document)].map(found => [found.node.operationId, found]));
  return [...responses(document)].flatMap(({ node, path }) =>
    Object.entries(node?.links ?? {}).flatMap(([name, link]) =>
      faults(document, follow(document, link).node, targets)
        .map(message => ({ message, path: [...path, 'links', name] }))));
}
