/** What the README shows compiles, and what it says of options and errors is so. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");
const tsc = `${root}node_modules/.bin/tsc`;

/** What a compiler has to say. */
function compile(...options: string[]): string {
  try {
    return execFileSync(tsc, options, { cwd: root, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test("its examples compile, as strictly as can be", () => {
  const examples = [...readme.matchAll(/```(tsx?|js)\n([^]*?)```/g)];
  expect(examples.length).toBe(6);
  const folder = `${root}test/.examples`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  examples.forEach(([, language = "", code = ""], index) => writeFileSync(`${folder}/${index}.${language.replace("js", "ts")}`, code));
  const compilerOptions = {
    paths: { "@stateroom/client": ["../../src/index.ts"], "@stateroom/client/react": ["../../src/react.ts"] },
    moduleDetection: "force",
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["*"] }));
  expect(compile("--noEmit", "-p", folder)).toBe("");
});

test("the types allow what they should, and no more", () => {
  expect(compile("--noEmit")).toBe("");
});

/** The first cells of the table under a heading. */
function named(heading: string): string[] {
  const rows = readme.split(`## ${heading}\n`)[1]!.split("\n## ")[0]!.matchAll(/^\| `(\w[\w-]*)/gm);
  return [...rows].map(([, name = ""]) => name).sort();
}

/** The members of an interface or object that are declared in a source, two spaces deep. */
function declared(file: string, from: string): string[] {
  const source = readFileSync(`${root}src/${file}`, "utf8").split(from)[1]!.split("\n}")[0]!;
  return [...source.matchAll(/^  "?([\w-]+)"?\??: /gm)].map(([, name = ""]) => name).sort();
}

test("it names each option and each error", () => {
  expect(named("Options")).toEqual([...declared("options.ts", "interface RoomSocketOptions"), "codec"].sort());
  expect(named("Errors")).toEqual(declared("errors.ts", "const TEXTS"));
  for (const name of declared("timing.ts", "interface Timing")) expect(readme).toContain(`\`${name}\``);
});
