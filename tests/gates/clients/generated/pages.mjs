// Swagger UI, RapiDoc and the server's own page in Chromium: what their buttons send of each operation, as they fill it in,
// must be answered as the specification shows. The server is behind nginx, which puts a prefix before its paths.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

import { check, installed, MODULES, operations, ROOT, target } from "./spec.mjs";

const { chromium } = installed("playwright-core");
const FOLDER = path.join(import.meta.dirname, "pages");
const WORK = path.join(ROOT, "build/generated/nginx");
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"];
const TIMEOUT_MS = 60000;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startProxy() {
  const values = { FOLDER, WORK, MODULES, PORT: await freePort(), SERVER_URL: process.env.SERVER_URL };
  const file = path.join(WORK, "nginx.conf"), text = fs.readFileSync(path.join(FOLDER, "nginx.conf"), "utf8");
  fs.mkdirSync(WORK, { recursive: true });
  fs.writeFileSync(file, text.replace(/^#.*\n/, "").replace(/\$([A-Z_]+)/g, (all, name) => values[name]));
  const child = spawn("setpriv", ["--pdeathsig", "TERM", "/usr/sbin/nginx", "-c", file], { stdio: "inherit" });
  const base = `http://127.0.0.1:${values.PORT}/prefix`;
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(`${base}/livez`).then(({ ok }) => ok, () => false)) return { base, stop: () => child.kill() };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("nginx does not answer");
}

// Each page, and how an operation is sent there.
const PAGES = {
  "swagger.html": async (page, { operationId, tag }) => {
    const block = page.locator(`#operations-${tag}-${operationId}`);
    await block.locator(".opblock-summary-control").click();
    await block.locator("button.execute").click();
    await block.locator(".live-responses-table").waitFor();
    await block.locator(".opblock-summary-control").click();
  },
  "rapidoc.html": async (page, { path, method }) => {
    const block = page.locator(`[id="${method}-${path.replace(/[{}]/g, "-")}"]`);
    await block.locator(".endpoint-head").click();
    await block.locator("button[part~=btn-try]").click();
    await block.locator(".endpoint-head").click();
  },
  docs: async (page, { operationId }) => {
    await page.locator(`#${operationId} summary`).click();
    await page.locator(`#${operationId} button`).click();
  },
};

async function execute(page, base, operation, press) {
  const url = base + target(operation), isAnswer = (answer) => answer.url().split("?")[0] === url;
  const [answer] = await Promise.all([page.waitForResponse(isAnswer), press(page, operation)]).catch((error) => {
    throw new Error(`${operation.operationId}: ${error.message}`);
  });
  assert.equal(answer.url(), url, `${operation.operationId}: the page sends what nobody entered`);
  check(operation, answer.status(), await answer.text());
}

async function open(browser, url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.goto(url);
  return page;
}

const { base, stop } = await startProxy();
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
try {
  for (const [name, press] of Object.entries(PAGES)) {
    const page = await open(browser, `${base}/${name}`);
    for (const operation of operations) await execute(page, base, operation, press);
    console.log(`test-generated: ${name}: ${operations.length} operations are answered as specified`);
    await page.close();
  }
  const playground = await open(browser, `${base}/`);
  await playground.locator("#rows .class").first().waitFor();
  await playground.locator("a").click();
  assert.equal(playground.url(), `${base}/docs`);
  console.log("test-generated: the playground shows samples");
} finally {
  await browser.close();
  stop();
}
