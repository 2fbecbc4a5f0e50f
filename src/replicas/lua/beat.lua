-- Says that a member is there, has it hear itself, and gives all who are there.
-- KEYS: the members. ARGV: which one it is, its own channel, what it is to hear, how long ago a member has to have been heard of, and
-- whether it is to be waited for.
local now = redis.call('TIME')
local noted = 1
local at = now[1] * 1000 + math.floor(now[2] / 1000)
if ARGV[5] == '1' then
    -- There may be no room, or writes are refused; then nobody waits for this one, and it finds that it is not among them.
    noted = redis.pcall('ZADD', KEYS[1], at, ARGV[1])
else
    redis.pcall('ZREM', KEYS[1], ARGV[1])
end
redis.pcall('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - 60000)
redis.call('PUBLISH', ARGV[2], ARGV[3])
-- It is another one's replica now: nothing is to be said to this one any more.
if type(noted) == 'table' and noted.err and string.find(noted.err, 'READONLY', 1, true) then
    return redis.error_reply(noted.err)
end
return redis.call('ZRANGEBYSCORE', KEYS[1], at - ARGV[4], '+inf')
