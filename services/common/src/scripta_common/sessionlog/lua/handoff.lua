#!lua flags=allow-oom
-- Puts a session back in line and gives up its lease in one step: it is never out of line.
-- Allowed beyond the memory limit: without an owner nothing is ever freed.
-- KEYS: assign. ARGV: group, transcriber, entry id, sid.
-- Returns the new entry's id, or false if the lease is not the caller's any more.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #pending == 0 then return false end
local id = redis.call('XADD', KEYS[1], '*', 'sid', ARGV[4])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
redis.call('XDEL', KEYS[1], ARGV[3])
return id
