-- Gives seats back. What a session that did not begin has taken of its minute is given back with it.
-- KEYS: seats of the tenant, seats of the key, rate of the tenant, rate of the key. ARGV: ms to give back of the tenant's minute,
--   of the key's; then the sessions. Returns how many had a seat.
local had = 0
for i = 3, #ARGV do
  had = had + redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('ZREM', KEYS[2], ARGV[i])
end
for whose = 1, 2 do
  local back = tonumber(ARGV[whose])
  if back > 0 and redis.call('EXISTS', KEYS[2 + whose]) == 1 then redis.call('INCRBYFLOAT', KEYS[2 + whose], -back) end
end
return had
