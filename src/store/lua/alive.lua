-- alive: a gateway is there, and so far with what it has to write again on this server.
--
-- A script, because all gateways go by the server's clock.
--
-- KEYS  1 gateways by when they were last there   2 gateways, and how far each is with writing again on this server
-- ARGV  1 this gateway   2 how far it is
-- Gives the other gateways that were there in the last ten seconds.
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - 10))
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], 86400)
local others = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if name ~= ARGV[1] then table.insert(others, name) end
end
return others
