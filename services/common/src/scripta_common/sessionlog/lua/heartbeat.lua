#!lua flags=allow-oom
-- Renews leases: a pending entry's idle time starts again, but only while it is still the
-- caller's (a plain XCLAIM would take it back from the new owner).
-- Notes when the caller was heard, and since when without a break: that is how long the broker has
-- surely served everybody. A break is two beats without one.
-- The stream lives as long as anyone holds a lease in it.
-- Allowed beyond the memory limit: without heartbeats all sessions would change hands.
-- KEYS: assign, beats. ARGV: group, transcriber, ttl_ms, beat_ms, entry id...
-- Returns the ids that are still held.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local said = redis.call('HGET', KEYS[2], ARGV[2])
local last, since = string.match(said or '', '^(%d+) (%d+)$')
if not last then
  since = 0 -- a newcomer has not seen the broker stand still
elseif now - last > 2 * ARGV[4] then
  since = now
end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f %.0f', now, since))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local held = {}
for i = 5, #ARGV do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #pending == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    held[#held + 1] = ARGV[i]
  end
end
if #held > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return held
