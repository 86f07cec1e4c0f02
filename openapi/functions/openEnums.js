import { follow, isComponent, schemas } from './walk.js';

const isEnum = node => Array.isArray(node?.enum) && node.enum.some(value => value !== null);
const isPlainString = node => node?.type === 'string' && !node.enum && !node.pattern;

/** Each enum of a response stands in an anyOf beside a plain string. */
export default function openEnums(document) {
  return [...schemas(document, 'responses')]
    .filter(({ path }) => !isComponent(path))
    .filter(({ node }) => isEnum(follow(document, node).node))
    .filter(({ alternatives }) => !alternatives?.some(isPlainString))
    .map(({ path }) => ({ message: 'is closed', path }));
}
