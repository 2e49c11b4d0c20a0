-- put_key, the account's side: stores a key under its public identifier.
--
-- A script, because a key belongs to an account that exists.
--
-- KEYS  1 own   2 keys
-- ARGV  1 key id   2 the key as stored
-- Gives 'new', 'same', 'other' (the identifier is another key's) or 'no_account'.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'no_account' end
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 1 then return 'new' end
return redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] and 'same' or 'other'
