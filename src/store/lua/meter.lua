-- meter: any number of holds, keeps and releases, of any number of accounts, each account's in their order.
--
-- A script, because every operation must happen at once or not at all; one for many, because the number of scripts and of
-- calls in them is what a Redis spends its time on. What is wrong with an account's own keys is answered to the operations
-- that need them, after everything else of them is undone; an error of the server's ends the script.
--
-- KEYS  the accounts
-- ARGV  1 now or ''   windows of the present, terms of holds and terms of keeps, which many operations have in common, each
--       list after its length (see read_window, read_hold_terms and read_keep_terms)   for each account: how many operations;
--       its window's place in the list, '' without a hold; the operations, each by its kind and its words (see hold, keep and
--       release)
-- Gives an answer for each operation, in words with | between them: what hold, keep and release say, or
--       unexpected|a key of another type   not_integer|what cannot be added to
--       then, in one text, how many open holds of each account were looked at one by one
local at = 1
local function word()
  at = at + 1
  return ARGV[at]
end
local moment
local function now()
  moment = moment or clock(ARGV[1])
  return moment
end
read_common(word, now)

-- The accounts' words, and the counters that holds must know of: those of all accounts are read at once.
local begins, counts, windows, plans, names = {}, {}, {}, {}, {}
for i, own in ipairs(KEYS) do
  local count, window = tonumber(word()), WINDOWS[word()]
  begins[i], counts[i], windows[i] = at, count, window
  local plan = read_plan(count, word)
  if plan and window then
    plan.first = #names + 1
    add_counters(names, own, window, plan.hold_key)
  end
  plans[i] = plan
end
local counters = #names > 0 and read_counters_of(names) or nil

local answers, costs, operate = {}, {}, nil
for i, own in ipairs(KEYS) do
  local plan, count, window = plans[i], counts[i], windows[i]
  costs[i] = 0
  if not (plan and fast_path(own, window, plan, count, now, counters, answers)) then
    local some
    operate, at = operate or load_operate(), begins[i]
    some, costs[i] = operate(own, window, count, now, word, plan, counters)
    for _, answer in ipairs(some) do answers[#answers + 1] = answer end
  end
end
answers[#answers + 1] = table.concat(costs, ' ')
return answers
