// What a stranger writes with types made of the contract: submit, follow, change, read an error.
import type { components, operations, paths } from "./contract";

type Schemas = components["schemas"];
type Body<Name extends keyof operations> = operations[Name] extends {
  requestBody: { content: { "application/json": infer Sent } };
}
  ? Sent
  : never;
type Reply<
  Name extends keyof operations,
  Status extends keyof operations[Name]["responses"],
> = operations[Name]["responses"][Status] extends { content: { "application/json": infer Given } }
  ? Given
  : never;

declare function post<Given>(path: keyof paths, body: unknown): Promise<Given>;
declare function get<Given>(path: string): Promise<Given>;

export async function draw(prompt: string): Promise<string | null> {
  const body: Body<"submit_imagine"> = { prompt, state: null };
  const answer = await post<Reply<"submit_imagine", 200>>("/mj/submit/imagine", body);
  return answer.result;
}

export async function follow(id: string): Promise<Schemas["Task"]> {
  const task = await get<Reply<"fetch_task", 200>>(`/mj/task/${id}/fetch`);
  const known: Schemas["TaskStatus"][] = ["SUCCESS", "FAILURE"];
  return known.some((status) => status === task.status) ? task : follow(id);
}

export function changes(taskId: string): Body<"submit_change">[] {
  return [
    { action: "UPSCALE", index: 1, taskId },
    { action: "VARIATION", index: 4, taskId: 1320098173412546 },
    { action: "REROLL", taskId },
  ];
}

export async function several(ids: (string | number)[]): Promise<(string | null)[]> {
  const body: Body<"list_tasks"> = { ids };
  const tasks = await post<Reply<"list_tasks", 200>>("/mj/task/list-by-condition", body);
  return tasks.map((task) => task.imageUrl);
}

export function explain(error: Reply<"submit_imagine", 400>): string {
  const slug: Schemas["ErrorSlug"] | string = error.properties.error;
  return [slug, ...error.properties.errors.map((one) => `${one.pointer} ${one.message}`)].join();
}

export function left(key: Reply<"fetch_key", 200>): string {
  return key.remaining ?? "without end";
}

export function totals(usage: Reply<"fetch_usage", 200>): string[] {
  return (usage.days ?? []).map((day) => `${day.day} ${day.spent}`);
}

// What the contract refuses, the types refuse too: each of these lines must be an error.
// @ts-expect-error: a prompt is required
export const empty: Body<"submit_imagine"> = {};
// @ts-expect-error: a prompt is text
export const number: Body<"submit_imagine"> = { prompt: 7 };
// @ts-expect-error: an upscale names a picture
export const nowhere: Body<"submit_change"> = { action: "UPSCALE", taskId: "1" };
// @ts-expect-error: there is no such action
export const unknown: Body<"submit_change"> = { action: "DESCRIBE", taskId: "1" };
// @ts-expect-error: a picture's address may be null
export const address = (task: Schemas["Task"]): string => task.imageUrl;
// @ts-expect-error: there is no such field
export const absent = (task: Schemas["Task"]) => task.image_url;
// @ts-expect-error: there is no such path
export const path: keyof paths = "/mj/submit/blend";
// @ts-expect-error: there is no such operation
export type Gone = operations["submit_blend"];
