#!lua flags=allow-oom
-- Writes down what a transcriber says of itself, with the server's time; its pool is remembered
-- longer than itself. A newcomer clears away what nobody has renewed for long.
-- Allowed beyond the memory limit: without it the fleet would look dead.
-- KEYS: fleet. ARGV: transcriber, field of its pool, record (a JSON object), prefix of pools'
--   fields, member_ms, pool_ms. Returns the time in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = string.sub(ARGV[3], 1, -2) .. string.format(',"at":%.0f}', now)
local fresh = redis.call('HSET', KEYS[1], ARGV[1], record, ARGV[2], record)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if fresh > 0 then
  local rows = redis.call('HGETALL', KEYS[1])
  for i = 1, #rows, 2 do
    local of_pool = string.sub(rows[i], 1, #ARGV[4]) == ARGV[4]
    local at = tonumber(string.match(rows[i + 1], '"at":(%d+)}$')) or 0
    if now - at > tonumber(of_pool and ARGV[6] or ARGV[5]) then
      redis.call('HDEL', KEYS[1], rows[i])
    end
  end
end
return now
