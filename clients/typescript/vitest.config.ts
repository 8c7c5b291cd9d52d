import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
    // The machine may be busy with other things.
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
