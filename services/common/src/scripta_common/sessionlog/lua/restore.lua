-- Writes a session anew from what its gateway kept: the broker has lost it, or a part of it that
-- nobody can fill. The epoch starts beyond any the lost state can have given out, so a former
-- owner stays fenced. Results behind the index come again, so those that are left must go.
-- KEYS: state, audio, results. ARGV: gateway, options, now_ms, ttl_ms, cp_sample, cp_seq, index.
redis.call('DEL', unpack(KEYS))
redis.call('HSET', KEYS[1],
  'status', 'open', 'gateway', ARGV[1], 'options', ARGV[2], 'created_ms', ARGV[3],
  'epoch', ARGV[3], 'owner', '', 'seq', ARGV[6],
  'cp_sample', ARGV[5], 'cp_seq', ARGV[6], 'index', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
