-- Removes the consumers that hold no lease and have not been heard of for long: transcribers that
-- were killed can not leave. One that lives after all is made again by its next command.
-- In one step, because removing a consumer destroys its pending entries.
-- KEYS: assign, beats. ARGV: group, silent_ms. Returns how many were removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local of = {}
  for i = 1, #consumer, 2 do of[consumer[i]] = consumer[i + 1] end
  if of.pending == 0 and of.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of.name)
    removed = removed + 1
  end
end
local beats = redis.call('HGETALL', KEYS[2])
for i = 1, #beats, 2 do
  if now - string.match(beats[i + 1], '^%d+') > tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[2], beats[i])
  end
end
return removed
