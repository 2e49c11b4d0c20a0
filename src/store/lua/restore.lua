-- restore: writes a hold of an account again that the server had given and lost.
--
-- A script, because a hold that has been settled meanwhile must not come back.
--
-- KEYS  1 the account
-- ARGV  1 now or ''   2 operation id   3 its day   4 the hold's record
-- Gives 1 if it was written.
local own, id, day, record = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
local holds, now = own .. ':holds', clock(ARGV[1])
local channel, pool, month, cycle, lease, key, ends = parse(record)
if tonumber(ends) <= now or settlement(own, day, id) or redis.call('HEXISTS', holds, id) == 1 then return 0 end
local target = cycle ~= '' and redis.call('HGET', own .. ':moved_cycles', cycle)
if target then
  cycle = target
  record = table.concat({ channel, pool, month, cycle, lease, key, ends }, '|')
end
local change, value_of = transaction(), standing_value(own)
local faulty = prepare(change, own, month, cycle, id, now, value_of) or prepare_day(change, own, day)
if not faulty and key ~= '' then
  local counter = 'key_usage:' .. key .. ':' .. month
  faulty = adopt_once(change, own, month, id, now, counter, value_of(counter))
end
if faulty or not change.step('HSET', holds, id, record) then
  return redis.error_reply('WRONGTYPE ' .. (faulty or holds))
end
if redis.call('EXISTS', own) == 1 then
  local fields = redis.call('HMGET', own, 'oldest', 'mixed', 'newest')
  local oldest, mixed = tonumber(fields[1] or ends), tonumber(fields[2] or '0')
  local newest, stamp = fields[3] or '', stamp_of(id, day) or ''
  redis.call('HSET', own, 'oldest', text(math.min(oldest, tonumber(ends))), 'mixed', text(math.max(mixed, tonumber(ends))),
    'newest', stamp > newest and stamp or newest)
end
return 1
