-- What wrk sends, from the environment, and what it measured, as one line of JSON.
wrk.method = os.getenv("BENCH_METHOD")
wrk.headers["mj-api-secret"] = os.getenv("BENCH_TOKEN")
if wrk.method == "POST" then
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = os.getenv("BENCH_BODY")
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nbench {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status above 399":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.timeout, e.status))
end
