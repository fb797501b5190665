#!lua flags=allow-oom
-- Takes back what is held against a session: its owner has outlived all of its audio.
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- KEYS: state. ARGV: epoch. Returns 1, or 0 if it is not this owner's any more.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'attempts', 0, 'accusations', 0)
return 1
