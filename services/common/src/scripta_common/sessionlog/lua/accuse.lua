#!lua flags=allow-oom
-- Notes that a session is now tried alone, after its owners have died again and again: if this one
-- dies too, the next owner knows by whose hand.
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- Said again by the same owner, whose answer was lost, it counts once.
-- KEYS: state. ARGV: epoch. Returns how often it has been, or 0 if it is not this owner's any more.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'accuser', 'accusations')
if state[1] ~= ARGV[1] then return 0 end
if state[2] == ARGV[1] then return tonumber(state[3]) end
redis.call('HSET', KEYS[1], 'accuser', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'accusations', 1)
