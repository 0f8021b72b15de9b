-- wrk script: POST one fixed JSON body, with the Accept-Encoding that the second argument may be, and print what was counted as one line for `bench`.
-- There is no request() or response() here on purpose: wrk then formats the request once and runs no Lua per request.

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Accept-Encoding"] = args[2]
   file:close()
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format(
      '\nRESULT {"requests": %d, "bytes": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f,'
         .. ' "errors": {"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}}\n',
      summary.requests, summary.bytes, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      e.connect, e.read, e.write, e.timeout, e.status))
end
