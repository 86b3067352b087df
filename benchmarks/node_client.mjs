// What worker.py is, in Node: its own fetch, and the least that makes events of a body.

import fs from "node:fs";
import readline from "node:readline";

const PATIENCE = 180_000;

async function* events(response) {
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = [];
      let name = "message";
      for (const line of block.split("\n")) {
        if (line.startsWith("data: ")) data.push(line.slice(6));
        else if (line.startsWith("event: ")) name = line.slice(7);
      }
      yield { event: name, data: data.join("\n") };
    }
  }
}

async function read({ url, path, count, kind }) {
  const start = process.cpuUsage();
  let seen = 0;
  for await (const event of events(await fetch(`${url}/${path}`))) {
    if (kind === "typed") JSON.parse(event.data);
    seen += 1;
  }
  const spent = process.cpuUsage(start);
  if (seen !== count) throw new Error(`${seen} events came of ${count}`);
  return { cpu_ns: 1000 * (spent.user + spent.system) };
}

async function open(url) {
  const controller = new AbortController();
  const response = await fetch(`${url}/held`, { signal: controller.signal });
  const reader = events(response);
  await reader.next();
  return { controller, reader };
}

async function hold({ url, count }, pause = () => {}, inTurn = false) {
  const start = process.cpuUsage();
  const all = [];
  if (inTurn) for (let n = 0; n < count; n++) all.push(await open(url));
  else all.push(...(await Promise.all(Array.from({ length: count }, () => open(url)))));
  pause();
  await Promise.all(
    all.map(async ({ controller, reader }) => {
      const end = reader.next().catch(() => {});
      controller.abort();
      await end;
    }),
  );
  const spent = process.cpuUsage(start);
  return { cpu_ns: 1000 * (spent.user + spent.system) };
}

async function gather({ url, count }) {
  const name = process.hrtime.bigint(); // nobody else is in this one
  const start = process.cpuUsage();
  await Promise.all(
    Array.from({ length: count }, async () => {
      for await (const _ of events(await fetch(`${url}/gathered/${count}/${name}`)));
    }),
  );
  const spent = process.cpuUsage(start);
  return { cpu_ns: 1000 * (spent.user + spent.system) };
}

async function memory({ url, count }) {
  await hold({ url, count: 10 });
  global.gc();
  const before = process.memoryUsage().rss;
  let held = 0;
  const weigh = () => {
    global.gc();
    held = process.memoryUsage().rss;
  };
  await hold({ url, count }, weigh, true);
  return { bytes: Math.max(held - before, 1) / count }; // less than nothing is noise
}

function peak() {
  try {
    const status = fs.readFileSync("/proc/self/status", "ascii");
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)[1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

const tasks = { read, gather, hold, memory };
console.log("{}");
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { task, ...order } = JSON.parse(line);
  const alarm = setTimeout(() => process.exit(1), PATIENCE);
  global.gc();
  try {
    fs.writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // then the peak is that of the process
  }
  let answer;
  try {
    answer = { ...(await tasks[task](order)), peak: peak() };
  } catch (error) {
    answer = { error: String(error) };
  }
  clearTimeout(alarm);
  console.log(JSON.stringify(answer));
}
