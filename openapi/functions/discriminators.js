import { follow, schemas } from './walk.js';

const list = value => (Array.isArray(value) ? value : []);

function faults(document, { oneOf, discriminator: { propertyName, mapping = {} } }) {
  const branches = list(oneOf).map(branch => branch.$ref);
  const pairs = Object.entries(mapping);
  const valuesOf = branch => {
    const target = follow(document, { $ref: branch }).node;
    const property = follow(document, target?.properties?.[propertyName]).node;
    return list(target?.required).includes(propertyName) ? list(property?.enum) : [];
  };
  return [
    ...branches.flatMap(branch => valuesOf(branch)
      .filter(value => mapping[value] !== branch)
      .map(value => `mapping must send '${value}' to ${branch}`)),
    ...branches.filter(branch => !valuesOf(branch).length)
      .map(branch => `${branch} must require '${propertyName}', with an enum`),
    ...pairs.filter(([value, branch]) => !valuesOf(branch).includes(value))
      .map(([value, branch]) => `'${value}' is no '${propertyName}' of ${branch}`),
    ...pairs.filter(([, branch]) => !branches.includes(branch))
      .map(([, branch]) => `${branch} is no branch of the oneOf`),
  ];
}

/** A discriminator's mapping says for each value of each oneOf branch where it leads. */
export default function discriminators(document) {
  return [...schemas(document, 'everywhere')]
    .filter(({ node }) => node.discriminator)
    .flatMap(({ node, path }) => faults(document, node)
      .map(message => ({ message, path: [...path, 'discriminator'] })));
}
