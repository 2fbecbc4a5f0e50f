-- Says that a member is there, has it hear itself, and gives all who are there.
-- KEYS: the members. ARGV: which one it is, its own channel, what it is to hear, how long ago a member has to have been heard of, and
-- whether it is to be waited for.
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
if ARGV[5] == '1' then
    -- There may be no room; then nobody waits for this one.
    redis.pcall('ZADD', KEYS[1], at, ARGV[1])
else
    redis.pcall('ZREM', KEYS[1], ARGV[1])
end
redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - 60000)
redis.call('PUBLISH', ARGV[2], ARGV[3])
return redis.call('ZRANGEBYSCORE', KEYS[1], at - ARGV[4], '+inf')
