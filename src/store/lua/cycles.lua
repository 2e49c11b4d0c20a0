-- cycles: every billing cycle in an account's index with its counters, oldest first. Writes nothing.
--
-- A script, because the names of the counters are known only from the index: without it, listing takes two trips.
--
-- KEYS  1 cycles
-- ARGV  1, 2 what the names of the counters of signed-in users and of API keys begin with
-- Gives {'not_integer', what} for what is no whole number | start, app, api, start, app, api, …
local listed = {}
for _, start in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local app, api = ARGV[1] .. start, ARGV[2] .. start
  local unexpected = not_integer({ app, api })
  if unexpected then return { 'not_integer', unexpected } end
  -- One that is only prepared has no counters.
  if redis.call('EXISTS', app, api) > 0 then
    table.insert(listed, start)
    table.insert(listed, text(stored(app)))
    table.insert(listed, text(stored(api)))
  end
end
return listed
