-- close_month: takes the oldest entries of a month's ledger away and adds what they come to to what is closed.
--
-- A script, because both must happen at once, and only if nobody else has closed them since they were read. What they come to
-- is computed by the gateway, so that others do not wait for it.
--
-- KEYS  1 own   2 what closed months add up to   3 ledger of the month   4 months that have a ledger   5 open holds
-- ARGV  1 now or ''   2 from when on (µs) the months may be closed   3 the month   4 the month through which all are closed
--       5 how many steps of closing there had been before the entries were read   6 the smallest id that stays   7 how many
--       entries go, openings excluded   8… for each counter that they moved: its name without the account's own, by how much
-- Gives {'closed', entries that are left in the month} | {'no_account'} | {'early'} | {'changed'}
--       | {'not_integer', what cannot be added to}
local own, closed, ledger = KEYS[1], KEYS[2], KEYS[3]
if redis.call('EXISTS', own) == 0 then return { 'no_account' } end
local now = clock(ARGV[1])
if now < tonumber(ARGV[2]) then return { 'early' } end

local fields, by = { 'step', 'entries' }, { 1, tonumber(ARGV[7]) }
for i = 8, #ARGV, 2 do fields[#fields + 1], by[#by + 1] = ARGV[i], tonumber(ARGV[i + 1]) end
local stands, writes = redis.call('HMGET', closed, unpack(fields)), {}
if (stands[1] or '0') ~= ARGV[5] then return { 'changed' } end
for i, field in ipairs(fields) do
  local before = whole(stands[i] or '0')
  if not before then return { 'not_integer', closed .. ' ' .. field } end
  writes[#writes + 1], writes[#writes + 2] = field, text(before + by[i])
end

local through, ended = redis.call('HGET', closed, 'through'), {}
local is_new = not through or order_of(through) < order_of(ARGV[4])
local counted = is_new and redis.call('HGET', own, 'counted')
if is_new then
  writes[#writes + 1], writes[#writes + 2] = 'through', ARGV[4]
  local all = redis.call('HGETALL', KEYS[5])
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]:match('%d+$') or '0') <= now then ended[#ended + 1] = all[i] end
  end
end

redis.call('XTRIM', ledger, 'MINID', ARGV[6])
redis.call('HSET', closed, unpack(writes))
-- A keep whose hold is open is counted whatever is closed: holds whose lease has ended are no longer to look open.
for i = 1, #ended, 1000 do redis.call('HDEL', KEYS[5], unpack(ended, i, math.min(i + 999, #ended))) end
-- Should a clock be set back, the month is prepared anew.
if counted and order_of(counted:match('^[^|]*')) <= order_of(ARGV[4]) then redis.call('HDEL', own, 'counted') end
local left = redis.call('XLEN', ledger)
if left == 0 then
  redis.call('DEL', ledger)
  redis.call('SREM', KEYS[4], ARGV[3])
end
return { 'closed', text(left) }
