// express-rate-limit before two pages: node server.js PORT LIMIT WINDOW_MS HEADERS, a line on stdout for each request.
const express = require("express");
const { rateLimit } = require("express-rate-limit");

const [port, limit, windowMs, standardHeaders] = process.argv.slice(2);
const app = express();
app.use((request, response, next) => {
  response.on("finish", () => console.log(`${request.method} ${request.url} HTTP/1.1 ${response.statusCode} `));
  next();
});
app.use(rateLimit({ windowMs: Number(windowMs), limit: Number(limit), standardHeaders, legacyHeaders: false }));
app.get("/", (_, response) => response.send("here"));
app.get("/other", (_, response) => response.send("there"));
app.listen(Number(port), "127.0.0.1");
