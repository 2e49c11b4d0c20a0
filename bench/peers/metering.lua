-- What a key check, a limiter and a usage counter in Redis do for each request, as somebody would write them by hand.
local redis = require "nginx.redis"
local keys = ngx.shared.keys
local metering = { port = 6379 }

-- The burst of one second and the month's quota (used and held) are checked, then both are raised.
local HOLD = [[
local burst = redis.call('INCR', KEYS[1])
if burst == 1 then redis.call('PEXPIRE', KEYS[1], 2000) end
if burst > tonumber(ARGV[1]) then return {1, burst} end
local usage = redis.call('HMGET', KEYS[2], 'used', 'held')
local spent = tonumber(usage[1] or 0) + tonumber(usage[2] or 0)
if spent >= tonumber(ARGV[2]) then return {2, spent} end
redis.call('HINCRBY', KEYS[2], 'held', 1)
return {0, tonumber(ARGV[2]) - spent - 1}]]
local KEEP = [[
redis.call('HINCRBY', KEYS[1], 'held', -1)
if ARGV[1] == '1' then redis.call('HINCRBY', KEYS[1], 'used', 1) end
return redis.call('EXPIRE', KEYS[1], 6000000)]]
local loaded = {}

local function connect()
  local link = redis:new()
  link:set_timeout(1000)
  local ok, fault = link:connect("127.0.0.1", metering.port)
  if ok then return link end
  return nil, fault
end

local function run(script, ...)
  local link, fault = connect()
  if not link then return nil, fault end
  local answer
  if loaded[script] then answer, fault = link:evalsha(loaded[script], ...) end
  if not answer then
    if loaded[script] and not (fault and fault:find("NOSCRIPT", 1, true)) then
      link:close()
      return nil, fault
    end
    loaded[script] = link:script("load", script)
    answer, fault = link:evalsha(loaded[script], ...)
  end
  link:set_keepalive(30000, 128)
  return answer, fault
end

-- A known key is remembered for ten seconds, an unknown one too.
local function account(key)
  local id = keys:get(key)
  if id then return id ~= "-" and id or nil end
  local link, fault = connect()
  if not link then return nil, fault end
  local found
  found, fault = link:hget("key:" .. key, "account")
  if not found then
    link:close()
    return nil, fault
  end
  link:set_keepalive(30000, 128)
  id = found ~= ngx.null and found or nil
  keys:set(key, id or "-", 10)
  return id
end

function metering.access()
  local key = ngx.var.http_x_api_key
  if not key then return ngx.exit(401) end
  local id, fault = account(key)
  if fault then return ngx.exit(503) end
  if not id then return ngx.exit(401) end
  local quota = "quota:" .. id .. ":" .. ngx.utctime():sub(1, 7)
  local answer
  answer, fault = run(HOLD, 2, "burst:" .. id .. ":" .. ngx.time(), quota, 100000000, 1000000000)
  if not answer then
    ngx.log(ngx.ERR, fault)
    return ngx.exit(503)
  end
  if answer[1] ~= 0 then return ngx.exit(answer[1] == 1 and 429 or 402) end
  ngx.header["x-quota-remaining"] = answer[2]
  ngx.ctx.quota = quota
end

local function keep(_, quota, served)
  local answer, fault = run(KEEP, 1, quota, served)
  if not answer then ngx.log(ngx.ERR, "lost: ", fault) end
end

function metering.log()
  if not ngx.ctx.quota then return end
  local ok, fault = ngx.timer.at(0, keep, ngx.ctx.quota, ngx.status == 200 and "1" or "0")
  if not ok then ngx.log(ngx.ERR, "lost: ", fault) end
end

return metering
