#!lua flags=allow-oom
-- What automations of several gateways tell each other. KEYS[1]: an effect, or something that one of them made or changed.
local key, op, value, time = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if op == 'begin' then
  return redis.call('SET', key, 1, 'NX', 'PX', time) and {'first'} or {}
elseif op == 'release' then
  redis.call('DEL', key)
elseif op == 'note' then
  redis.call('RPUSH', key, value)
  redis.call('LTRIM', key, -8, -1)
  redis.call('PEXPIRE', key, time)
else
  return redis.call('LRANGE', key, 0, -1)
end
return {}
