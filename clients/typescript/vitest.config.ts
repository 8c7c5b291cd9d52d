import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // What is published, instead of the sources, for the tests of the package.
    alias: process.env.BUNDLE ? [{ find: /^\.\.\/src\/index\.js$/, replacement: new URL("dist/index.js", import.meta.url).pathname }] : [],
  },
  test: {
    include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
    // The machine may be busy with other things.
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
