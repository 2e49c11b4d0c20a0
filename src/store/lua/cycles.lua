-- cycles: every billing cycle in an account's index with its counters, oldest first. Writes nothing.
--
-- A script, because the names of the counters are known only from the index: without it, listing takes two trips.
--
-- KEYS  1 cycles
-- ARGV  1, 2 what the names of the counters of signed-in users and of API keys begin with
-- Gives {'odd', what} for what is no whole number | start, app, api, start, app, api, …
local listed = {}
for _, start in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local app, api = ARGV[1] .. start, ARGV[2] .. start
  local strange = odd({ app, api })
  if strange then return { 'odd', strange } end
  table.insert(listed, start)
  table.insert(listed, text(stored(app)))
  table.insert(listed, text(stored(api)))
end
return listed
