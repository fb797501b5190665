#!lua flags=allow-oom
-- Notes that a session is now tried alone, after its owners have died again and again: if this one
-- dies too, the next owner knows by whose hand.
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- KEYS: state. ARGV: epoch. Returns how often it has been, or 0 if it is not this owner's any more.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
return redis.call('HINCRBY', KEYS[1], 'accusations', 1)
