-- import: an account with everything but its long lists, which are there already.
--
-- A script, because nobody must see a part of it.
--
-- KEYS  1 own   2 keys   3 revoked   4 last_used   5 stripe   6 stripe_ids   7 cycles that were moved   8 counters known
--       to us   9 cycles   10 months that have a ledger   11 grants
--       12 what closed months add up to
-- ARGV  1 how many entries the ledger must have   2 how many grants   3… groups, each after its length: counters and
--       values, without the account's own name; fields of the account and values; keys and how they are stored; keys and
--       when they were revoked; keys and when they were last used; fields of stripe and values; Stripe's ids; cycles that
--       were moved and to where; cycles; fields of what closed months add up to and values
-- Gives {'written'} | {'there'} (the account can be seen: nothing is done) | {'other', what is in the way}
local own = KEYS[1]
if redis.call('EXISTS', own) == 1 then return { 'there' } end

local at = 3
local function each(width, use)
  local count = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, count do
    use(ARGV[at], ARGV[at + 1])
    at = at + width
  end
end

local other
each(2, function(counter)
  if redis.call('EXISTS', own .. ':' .. counter) == 1 then other = 'counter ' .. counter end
end)
if other then return { 'other', other } end
for i = 2, 8 do
  if redis.call('EXISTS', KEYS[i]) == 1 then return { 'other', KEYS[i] } end
end
if redis.call('EXISTS', KEYS[12]) == 1 then return { 'other', KEYS[12] } end
local entries = 0
for _, month in ipairs(redis.call('SMEMBERS', KEYS[10])) do
  entries = entries + redis.call('XLEN', own .. ':ledger:' .. month)
end
if entries ~= tonumber(ARGV[1]) then return { 'other', 'its ledger' } end
if redis.call('HLEN', KEYS[11]) ~= tonumber(ARGV[2]) then return { 'other', 'its grants' } end

at = 3
redis.call('SADD', KEYS[8], 'prepaid')
each(2, function(counter, value)
  redis.call('SET', own .. ':' .. counter, value)
  redis.call('SADD', KEYS[8], counter)
end)
each(2, function(field, value) redis.call('HSET', own, field, value) end)
each(2, function(key, stored) redis.call('HSET', KEYS[2], key, stored) end)
each(2, function(key, when) redis.call('HSET', KEYS[3], key, when) end)
each(2, function(key, when) redis.call('ZADD', KEYS[4], when, key) end)
each(2, function(field, value) redis.call('HSET', KEYS[5], field, value) end)
each(1, function(id) redis.call('SADD', KEYS[6], id) end)
each(2, function(from, to) redis.call('HSET', KEYS[7], from, to) end)
each(1, function(start) redis.call('ZADD', KEYS[9], start, start) end)
each(2, function(field, value) redis.call('HSET', KEYS[12], field, value) end)
return { 'written' }
