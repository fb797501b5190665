#!lua flags=allow-oom
-- Lets go of a session so that another transcriber may take it. The epoch stays: the next claim
-- raises it. An owner that lets go was not killed by its session.
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- KEYS: state. ARGV: epoch. Returns 1, or 0 if it is not this owner's any more.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '', 'attempts', 0, 'accusations', 0)
return 1
