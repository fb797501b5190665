#!lua flags=allow-oom
-- Counts what a session has used. The caller says how far the session is, in samples and in finals; what is more than was
-- counted before is added to its hour and its day. So a call may be repeated, come late or from a former owner of the session.
-- An hour or a day without room for another row counts it with all others.
-- Allowed beyond the memory limit: a session ends only when it is counted, and an end frees memory.
-- KEYS: counted, hour, day. ARGV: samples, finals, row, row of all others, field of the key's total, field of the tenant's
--   total, ttl_ms of hour and day, ttl_ms of counted, most fields.
-- Returns the samples counted before, or -1 if the session was not known.
local known = redis.call('HMGET', KEYS[1], 'samples', 'finals')
local before, finals_before = tonumber(known[1] or 0), tonumber(known[2] or 0)
local samples = math.max(before, tonumber(ARGV[1]))
local finals = math.max(finals_before, tonumber(ARGV[2]))
local more = {{'s', known[1] and 0 or 1}, {'a', samples - before}, {'f', finals - finals_before}}

local function has_row(hash)
  for _, one in ipairs(more) do
    if redis.call('HEXISTS', hash, one[1] .. ARGV[3]) == 1 then return true end
  end
  return false
end

if more[1][2] + more[2][2] + more[3][2] > 0 then
  for place = 2, 3 do
    local row, fields = ARGV[3], redis.call('HLEN', KEYS[place])
    if fields >= tonumber(ARGV[9]) and not has_row(KEYS[place]) then row = ARGV[4] end
    for _, one in ipairs(more) do
      if one[2] > 0 then redis.call('HINCRBY', KEYS[place], one[1] .. row, one[2]) end
    end
    if place == 3 and more[2][2] > 0 then
      redis.call('HINCRBY', KEYS[place], ARGV[6], more[2][2])
      if row == ARGV[3] then redis.call('HINCRBY', KEYS[place], ARGV[5], more[2][2]) end
    end
    if fields == 0 then redis.call('PEXPIRE', KEYS[place], ARGV[7]) end
  end
  redis.call('HSET', KEYS[1], 'samples', samples, 'finals', finals)
end
redis.call('PEXPIRE', KEYS[1], ARGV[8])
return known[1] and before or -1
