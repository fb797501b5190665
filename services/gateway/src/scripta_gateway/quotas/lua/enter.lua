-- Gives sessions of one caller their seats: all of them, or none. One that has its seat already keeps it, whatever the limits.
-- A seat lapses by itself when nobody renews it; so a gateway that dies leaves none for long.
-- KEYS: seats of the tenant, seats of the key, rate of the tenant, rate of the key, day's usage. ARGV: ttl_ms of a seat; the
--   limits in words, of the tenant and of the key each (-: none): seats, new seats a minute, samples a day; the fields of the
--   day's samples, of the tenant and of the key; then the sessions.
-- Returns {what, whose, wait_ms, new...}. what: 0 entered, 1 seats, 2 rate, 3 samples; whose: 1 the tenant's limit, 2 the key's;
--   new: the sessions that had no seat before, if they have one now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[1])
local limits, first = {}, 5
for limit in string.gmatch(ARGV[2], '%S+') do limits[#limits + 1] = tonumber(limit) or false end
local seats, rate, samples = {limits[1], limits[2]}, {limits[3], limits[4]}, {limits[5], limits[6]}
local minute, day = 60000, 86400000

local new = {}
for i = first, #ARGV do
  local lapses = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if not lapses or tonumber(lapses) <= now then new[#new + 1] = ARGV[i] end
end
for whose = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[whose], '-inf', now)
  if samples[whose] and tonumber(redis.call('HGET', KEYS[5], ARGV[2 + whose]) or 0) >= samples[whose] then
    return {3, whose, day - now % day}
  end
end
local due = {}
if #new > 0 then
  for whose = 1, 2 do
    if seats[whose] and redis.call('ZCARD', KEYS[whose]) + #new > seats[whose] then return {1, whose, 0} end
  end
  for whose = 1, 2 do
    if rate[whose] then
      -- As if each session took its part of a minute of a store that holds one minute (GCRA).
      if rate[whose] < #new then return {2, whose, minute} end
      due[whose] = math.max(now, tonumber(redis.call('GET', KEYS[2 + whose]) or 0)) + #new * minute / rate[whose]
      local wait = due[whose] - now - minute
      if wait > 0.5 then return {2, whose, math.ceil(wait)} end
    end
  end
end
for whose, moment in pairs(due) do
  redis.call('SET', KEYS[2 + whose], string.format('%.3f', moment), 'PX', math.max(1, math.ceil(moment - now)))
end
for whose = 1, 2 do
  for i = first, #ARGV do redis.call('ZADD', KEYS[whose], now + ttl, ARGV[i]) end
  redis.call('PEXPIRE', KEYS[whose], 2 * ttl)
end
return {0, 0, 0, unpack(new)}
