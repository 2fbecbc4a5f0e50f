#!lua flags=allow-oom
-- An event that was sent to several replicas is taken by one. KEYS[1]: the event.
-- 'claim' answers 0: it is yours, 1: it was taken, 2: another one is about to take it.
local key, op, who, time = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local known = redis.call('GET', key)
if op == 'taken' then
  redis.call('SET', key, 'taken', 'PX', time)
elseif op == 'give' then
  if known == who then redis.call('DEL', key) end
elseif known == 'taken' then
  return 1
elseif known and known ~= who then
  return 2
else
  redis.call('SET', key, who, 'PX', time)
end
return 0
