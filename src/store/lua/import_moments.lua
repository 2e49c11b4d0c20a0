-- import_moments: remembers settled operations or claimed events of an account that is not to be seen yet. What an account
-- that can be seen has forgotten by age stays forgotten.
--
-- A script, because an operation that has ended otherwise must be left alone.
--
-- KEYS  1 own   2 settled, or stripe_events
-- ARGV  for each: its name, when (µs), the name that must not be there or ''
-- Gives {'written'} or {'other', what is in the way}.
for i = 1, #ARGV, 3 do
  if ARGV[i + 2] ~= '' and redis.call('ZSCORE', KEYS[2], ARGV[i + 2]) then
    return { 'other', 'operation ' .. ARGV[i]:sub(2) }
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  for i = 1, #ARGV, 3 do
    redis.call('ZADD', KEYS[2], 'NX', ARGV[i + 1], ARGV[i])
  end
end
return { 'written' }
