-- import_moments: remembers claimed events of an account that is not to be seen yet. What an account that can be seen has
-- forgotten by age stays forgotten.
--
-- A script, because an account that can be seen must be left alone.
--
-- KEYS  1 own   2 stripe_events
-- ARGV  for each: its name, when (µs)
-- Gives {'written'}.
if redis.call('EXISTS', KEYS[1]) == 0 then
  for i = 1, #ARGV, 2 do
    redis.call('ZADD', KEYS[2], 'NX', ARGV[i + 1], ARGV[i])
  end
end
return { 'written' }
