-- Requests of one path with the header lines of a file, chosen at random: as many people as the file has lines.
-- Arguments: the file, the seed, and the mean pause of a connection between two requests in milliseconds, if any.
local requests = {}
local random = math.random

function init(args)
  for line in io.lines(args[1]) do
    local colon = line:find(": ", 1, true)
    local headers = {}
    if colon then headers[line:sub(1, colon - 1)] = line:sub(colon + 2) end
    requests[#requests + 1] = wrk.format("GET", nil, headers)
  end
  math.randomseed(tonumber(args[2]))
  local pause = tonumber(args[3])
  -- wrk asks for a pause where there is a function of this name.
  if pause then
    function delay() return random(0, 2 * pause) end
  end
end

function request()
  return requests[random(#requests)]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"p50Micros":%d,"p99Micros":%d,"refused":%d,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
