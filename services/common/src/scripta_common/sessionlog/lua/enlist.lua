#!lua flags=allow-oom
-- Writes down what a transcriber says of itself, or a gateway of who waits there, with the server's
-- time; a transcriber's pool is remembered longer than itself. A newcomer clears away what nobody
-- has renewed for long.
-- Allowed beyond the memory limit: without it the fleet would look dead.
-- KEYS: fleet. ARGV: field, field of its pool (empty: it has none), record (a JSON object), prefix
--   of pools' fields, member_ms, pool_ms. Returns the time in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = string.sub(ARGV[3], 1, -2) .. string.format(',"at":%.0f}', now)
local fresh = redis.call('HSET', KEYS[1], ARGV[1], record)
if ARGV[2] ~= '' then fresh = fresh + redis.call('HSET', KEYS[1], ARGV[2], record) end
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
