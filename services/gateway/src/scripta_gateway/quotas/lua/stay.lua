-- Renews seats of one tenant, whatever the limits: these sessions run. What a broker has lost comes back so.
-- KEYS: seats of the tenant, day's usage, seats of each key. ARGV: ttl_ms of a seat, field of the day's samples of the tenant, of
--   each key; then the sessions, each behind the number of its key, from 1.
-- Returns the day's samples of the tenant, of each key.
local time = redis.call('TIME')
local lapses = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
local keys = #KEYS - 2
for i = 3 + keys, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], lapses, ARGV[i + 1])
  redis.call('ZADD', KEYS[2 + ARGV[i]], lapses, ARGV[i + 1])
end
local used = {}
for place = 0, keys do
  used[1 + place] = tonumber(redis.call('HGET', KEYS[2], ARGV[2 + place]) or 0)
  redis.call('PEXPIRE', place == 0 and KEYS[1] or KEYS[2 + place], 2 * ARGV[1])
end
return used
