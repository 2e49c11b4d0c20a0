-- The same request over and over. METHOD, BODY (a file), BOUNDARY or TYPE, KEY or AUTHORIZATION come from the environment;
-- with KEYS the requests take turns with so many keys, from KEY_PATTERN. The result is one line of JSON.
local env = os.getenv
wrk.method = env("METHOD") or "POST"
if env("KEY") then wrk.headers["x-api-key"] = env("KEY") end
if env("AUTHORIZATION") then wrk.headers["Authorization"] = env("AUTHORIZATION") end
if env("BODY") then
  local file = assert(io.open(env("BODY"), "rb"))
  wrk.body = file:read("*a")
  file:close()
  wrk.headers["Content-Type"] = env("TYPE") or ("multipart/form-data; boundary=" .. env("BOUNDARY"))
end

if env("KEYS") then
  local requests, turn = {}, 0
  function init(arguments)
    for n = 0, env("KEYS") - 1 do
      wrk.headers["x-api-key"] = string.format(env("KEY_PATTERN"), n)
      requests[#requests + 1] = wrk.format()
    end
  end
  function request()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('JSON {"n":%d,"us":%d,"p50":%.3f,"p99":%.3f,"max":%.3f,"broken":%d,"refused":%d}\n',
    summary.requests, summary.duration, latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    e.connect + e.read + e.write + e.timeout, e.status))
end
