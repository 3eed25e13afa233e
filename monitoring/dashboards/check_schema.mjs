// node check_schema.mjs FILE...: 1 where a dashboard is not of the types that Grafana itself is built with.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

// beside node_modules, where the compiler looks for Grafana's types
const folder = mkdtempSync(join(import.meta.dirname, ".schema-"));
try {
  const files = process.argv.slice(2).map((file) => {
    const typed = join(folder, `${basename(file, ".json")}.ts`);
    const document = readFileSync(file, "utf8");
    writeFileSync(typed, `import type { Dashboard } from "@grafana/schema";\nexport const board: Dashboard = ${document};\n`);
    return typed;
  });
  const strict = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
  const compiler = join(import.meta.dirname, "node_modules", ".bin", "tsc");
  const done = spawnSync(compiler, [...strict, ...files], { stdio: "inherit" });
  process.exitCode = done.status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
