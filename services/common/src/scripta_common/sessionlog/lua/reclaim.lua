#!lua flags=allow-oom
-- Leases sessions whose owner's heartbeat has stopped: the caller's share of them. Not before the
-- caller's own heartbeat has come regularly for two beats: after the broker stood still all leases
-- look expired, until their owners' heartbeats have got through.
-- (XAUTOCLAIM looks at ten entries for each it may claim and would miss the expired ones behind
-- that many live ones.)
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- KEYS: assign, beats. ARGV: group, transcriber, lease_ms, beat_ms, most. Returns the entries.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease, pause = tonumber(ARGV[3]), 2 * ARGV[4]
local said = redis.call('HGET', KEYS[2], ARGV[2])
local last, since = string.match(said or '', '^(%d+) (%d+)$')
if last and (now - last > pause or now - since < pause) then return {} end
local expired = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', lease, '-', '+', ARGV[5])
if #expired == 0 then return {} end
local members = said and 0 or 1
for _, heard in ipairs(redis.call('HVALS', KEYS[2])) do
  if now - string.match(heard, '^%d+') < lease then members = members + 1 end
end
local ids = {}
for i = 1, math.ceil(#expired / members) do ids[i] = expired[i][1] end
return redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], lease, unpack(ids))
