-- The edge cache: what this worker remembers of the authorizer's yes, for one rule and one credential, until its time is
-- up. It knows no policy and only ever skips the authorizer: whatever is not plain is not looked at, and is asked.
-- The head, with the names of the configuration, is generated: COOKIES, HEADERS, MAX_TTL_MS.

local MAX_KEY_BYTES = 2048
-- Of a generation. There are two of them in each worker.
local MAX_BYTES = 33554432
-- What an entry counts beside its texts. With the collector's share, a process takes about 1.7 times what is counted.
local ENTRY_BYTES = 300
-- Misses on their way at one time; a later one takes the place of the first.
local MAX_WAITING = 1024

-- A cookie as the authorizer reads one, in the characters that everybody reads alike.
local COOKIE = "^[%w_-]+=[%w_=.~|+/-]+"
local NOT_PLAIN = "[^%w_=.~|+/-]"

local byte, find, sub = string.byte, string.find, string.sub
local SEMICOLON = 59
local COUNT = #HEADERS

-- By rule and place, then by credential. An entry: its end, its bytes, the reason of the yes, the identity headers in the
-- order of HEADERS.
local young, old, bytes = {}, {}, 0
-- Credentials never go into metadata, which can reach logs: a number does.
local waiting, serial, pending = {}, 0, 0
local clock = 0

-- In per cent of what is used. By default the memory doubles before it is collected; less than this costs each hit more.
collectgarbage("setpause", 140)

-- Milliseconds that also pass in a machine's sleep, and that nobody can set back (CLOCK_BOOTTIME of Linux); else the
-- time of day.
local function time_source()
  local ok, read = pcall(function()
    local ffi = require("ffi")
    assert(ffi.os == "Linux" and ffi.abi("le") and ffi.abi("64bit"))
    ffi.cdef("struct ory_envoy_time { uint32_t s, s_high, ns, ns_high; }; int clock_gettime(int, struct ory_envoy_time *);")
    local at, gettime = ffi.new("struct ory_envoy_time"), ffi.C.clock_gettime
    assert(gettime(7, at) == 0)
    return function()
      gettime(7, at)
      return at.s * 1000 + at.ns / 1000000
    end
  end)
  if ok then return read end
  return function(h) return h:timestamp() end
end
local time = time_source()

-- The one session cookie; nil where there is none, false where it is not plain: whatever looks like a second one, in any
-- place, could be the one that the authorizer reads.
local function session_cookie(line)
  local from
  for i = 1, #COOKIES do
    local first, last = find(line, COOKIES[i], 1, true)
    if first then
      if (from or first) ~= first or find(line, COOKIES[i], last + 1, true) then return false end
      from = first
    end
  end
  if not from then return nil end
  if from > 1 and sub(line, from - 2, from - 1) ~= "; " then return false end
  local _, last = find(line, COOKIE, from)
  if not last then return false end
  local after = byte(line, last + 1)
  if after and after ~= SEMICOLON then return false end
  return sub(line, from, last)
end

-- Where it stands and the whole of it; nil where there is none, more than one, or one that is not plain.
local function credential(headers)
  local token, line, bearer = headers:get("x-session-token"), headers:get("cookie"), headers:get("authorization")
  if line then
    local cookie = session_cookie(line)
    if cookie then
      if token or bearer then return nil end
      return "c", cookie
    end
    if cookie == false then return nil end
  end
  if token then
    if bearer or token == "" or find(token, NOT_PLAIN) then return nil end
    return "t", token
  end
  if not bearer or sub(bearer, 1, 7) ~= "Bearer " then return nil end
  bearer = sub(bearer, 8)
  if bearer == "" or find(bearer, NOT_PLAIN) then return nil end
  -- Two dots make a JWT, and Envoy's own filters judge it. An opaque token of Hydra has one.
  local dot = find(bearer, ".", 1, true)
  if dot and find(bearer, ".", dot + 1, true) then return nil end
  return "a", bearer
end

local function forget()
  young, old, bytes, waiting, pending = {}, {}, 0, {}, 0
end

local function put(slot, presented, entry)
  local store = young[slot]
  -- The one that it replaces may have been smaller.
  local before = store and store[presented]
  bytes = bytes + entry[2] - (before and before[2] or 0)
  if bytes > MAX_BYTES then old, young, bytes, store = young, {}, entry[2], nil end
  if not store then
    store = {}
    young[slot] = store
  end
  store[presented] = entry
end

local function recall(slot, presented, now)
  local store = young[slot]
  local entry = store and store[presented]
  if entry then return now < entry[1] and entry end
  store = old[slot]
  entry = store and store[presented]
  if not entry or now >= entry[1] then return nil end
  put(slot, presented, entry)
  return entry
end

local function wait(slot, presented, now)
  serial = serial + 1
  local at = serial % MAX_WAITING
  if not waiting[at] then pending = pending + 1 end
  waiting[at] = { serial, now, slot, presented }
  return serial
end

function envoy_on_request(h)
  local headers = h:headers()
  local place, presented = credential(headers)
  if not presented then return end
  local info = h:streamInfo()
  local route = info:routeName()
  -- A route without a name is never remembered.
  if route == "" then return end
  if #route + #presented + 2 > MAX_KEY_BYTES then return end
  -- Apart from the credential, which is long: of a hit nothing longer is made.
  local slot = route .. " " .. place
  local now = time(h)
  if now < clock then forget() end
  clock = now
  local entry = recall(slot, presented, now)
  if entry then
    for i = 1, COUNT do
      local value = entry[i + 3]
      if value then headers:replace(HEADERS[i], value) else headers:remove(HEADERS[i]) end
    end
    h:stats():counter("hits"):inc(1)
    -- Last: after a fault on any line before it the authorizer is asked.
    info:dynamicMetadata():set("envoy.filters.http.rbac", "ory_shadow_engine_result", entry[3])
    return
  end
  h:stats():counter("misses"):inc(1)
  info:dynamicMetadata():set("ory-envoy", "miss", wait(slot, presented, now))
  -- The authorizer gives a lifetime only if this is what it decided on.
  headers:replace("ory-edge-key", slot .. presented)
end

-- The miss that this stream was, once.
local function awaited(metadata)
  local mine = metadata:get("ory-envoy")
  local number = mine and mine.miss
  local miss = number and waiting[number % MAX_WAITING]
  if not miss or miss[1] ~= number then return nil end
  waiting[number % MAX_WAITING] = nil
  pending = pending - 1
  return miss
end

function envoy_on_response(h)
  if pending == 0 then return end
  local metadata = h:streamInfo():dynamicMetadata()
  local miss = awaited(metadata)
  local answer = miss and metadata:get("envoy.filters.http.ext_authz")
  if not answer then return end
  local lifetime, rule, reason = answer["ory-cache-for"], answer["ory-rule"], answer["ory-reason"]
  if type(lifetime) ~= "string" or not find(lifetime, "^%d+$") or #lifetime > 9 then return end
  if reason ~= "session" and reason ~= "token" then return end
  local slot, presented = miss[3], miss[4]
  -- Where several policies are about, "@" and the policy's name follow the rule's.
  local after = type(rule) == "string" and sub(slot, 1, #rule) == rule and sub(slot, #rule + 1, #rule + 1)
  if after ~= " " and after ~= "@" then return end
  -- From before the check: the application may have taken its time.
  local entry = { miss[2] + math.min(tonumber(lifetime), MAX_TTL_MS), ENTRY_BYTES + #presented, reason }
  for i = 1, COUNT do
    local value = answer["ory-" .. HEADERS[i]]
    if type(value) ~= "string" then value = false end
    entry[i + 3] = value
    if value then entry[2] = entry[2] + #value end
  end
  if time(h) >= entry[1] then return end
  put(slot, presented, entry)
  h:stats():counter("stores"):inc(1)
end
