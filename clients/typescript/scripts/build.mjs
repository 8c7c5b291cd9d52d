// Builds dist/: the client as one small file, what it has for React, and the types of both. Fails where the client has grown.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

const LIMIT = 4096;

process.chdir(new URL("..", import.meta.url).pathname);
rmSync("dist", { recursive: true, force: true });

async function bundle(name, external = []) {
  const { outputFiles } = await build({
    entryPoints: [`src/${name}.ts`],
    bundle: true,
    minify: true,
    write: false,
    outdir: "dist",
    format: "esm",
    target: "es2022",
    sourcemap: true,
    external,
  });
  const [map, code] = ["map", "js"].map((end) => outputFiles.find((file) => file.path.endsWith(end)).text);
  const small = await minify(code, {
    module: true,
    ecma: 2022,
    compress: { passes: 3, directives: false },
    sourceMap: { content: map, filename: `${name}.js`, url: `${name}.js.map` },
  });
  return small;
}

execFileSync("npx", ["tsc", "-p", "tsconfig.build.json"], { stdio: "inherit" });
for (const [name, external] of [
  ["index", []],
  ["react", ["react", "./index.js"]],
]) {
  const { code, map } = await bundle(name, external);
  writeFileSync(`dist/${name}.js`, code);
  writeFileSync(`dist/${name}.js.map`, map);
}

// Without the comment that names the source map.
const size = gzipSync(readFileSync("dist/index.js", "utf8").replace(/\n?\/\/#.*\n?$/, ""), { level: 9 }).length;
console.log(`@stateroom/client: ${size} bytes minified and gzipped, of ${LIMIT} that it may have`);
if (size >= LIMIT) {
  console.error(`It must stay below ${LIMIT} bytes.`);
  process.exit(1);
}
