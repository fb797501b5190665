-- Writes a session anew from what its gateway kept: the broker has lost it, or a part of it that
-- nobody can fill. The epoch starts beyond any the lost state can have given out, so a former
-- owner stays fenced. Results behind the index come again, so those that are left must go.
-- KEYS: state, audio, results. ARGV: gateway, options, now_ms, ttl_ms, cp_sample, cp_seq, index,
--   connection, samples, messages, at_rest, digest of the token (as in open), cp_speaking, cp_spoken.
-- Returns 1, or 0 if another connection has the session.
local known = redis.call('HMGET', KEYS[1], 'connection', 'epoch')
local epoch = tonumber(ARGV[3])
if known[1] then
  if tonumber(known[1]) > tonumber(ARGV[8]) then return 0 end
  epoch = math.max(epoch, tonumber(known[2]) + 1) -- another gateway's clock may be ahead
end
redis.call('DEL', unpack(KEYS))
redis.call('HSET', KEYS[1],
  'status', 'open', 'gateway', ARGV[1], 'options', ARGV[2], 'created_ms', ARGV[3],
  'token', ARGV[12],
  'connection', ARGV[8], 'epoch', epoch, 'owner', '',
  'cp_sample', ARGV[5], 'cp_seq', ARGV[6], 'cp_speaking', ARGV[13], 'cp_spoken', ARGV[14], 'index', ARGV[7], 'dropped', ARGV[7],
  'seq', ARGV[6], 'samples', ARGV[9], 'messages', ARGV[10], 'partial', 0, 'at_rest', ARGV[11])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
