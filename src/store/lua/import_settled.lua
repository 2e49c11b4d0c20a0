-- import_settled: remembers settled operations of an account that is not to be seen yet. What an account that can be seen has
-- forgotten by age stays forgotten.
--
-- A script, because an operation that has ended otherwise must be left alone.
--
-- KEYS  1 own
-- ARGV  for each: its id, the id's day, 'kept' or 'released', when (µs)
-- Gives {'written'} or {'other', what is in the way}.
local own = KEYS[1]
for i = 1, #ARGV, 4 do
  local ended = settlement(own, ARGV[i + 1], ARGV[i])
  if ended and ended ~= ARGV[i + 2] then return { 'other', 'operation ' .. ARGV[i] } end
end
if redis.call('EXISTS', own) == 0 then
  for i = 1, #ARGV, 4 do
    local name = settled_name(own, ARGV[i + 2], ARGV[i + 1])
    redis.call('HSETNX', name, ARGV[i], ARGV[i + 3])
    redis.call('EXPIRE', name, ARGV[i + 2] == 'kept' and KEPT_FOR or RELEASED_FOR, 'NX')
  end
end
return { 'written' }
