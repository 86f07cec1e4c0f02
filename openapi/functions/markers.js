const MARKERS = /\{\{|\{%|\{#/;

/** The text as it lies in the file, comments too, holds no marker of a Jinja template. */
export default function markers(document, options, { document: { input } }) {
  return input.split('\n').flatMap((line, index) =>
    MARKERS.test(line) ? [{ message: `line ${index + 1}: ${line.trim()}`, path: [] }] : []);
}
