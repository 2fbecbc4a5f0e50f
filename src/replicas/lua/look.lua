-- Looks for a value, and else says who reads it.
-- KEYS: the table of forgettings, the value, the lock of its reading.
-- ARGV: a name for the table if there is none, its time, who asks (empty: reads in any case), for how long it may read.
-- Gives 0 with the value and its time, 1 with the head of the table where whoever asks is to read, 2 with the time of the other one's lock.
local head = redis.call('GETRANGE', KEYS[1], 0, 27)
if #head < 28 then
    head = ARGV[1] .. '000000000000'
    redis.call('SET', KEYS[1], head)
end
-- A write in any case: where none is possible, forgettings are not noted either, and nothing here can be believed.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local value = redis.call('GET', KEYS[2])
if value and string.sub(value, 1, 16) == string.sub(head, 1, 16) then
    local as_of, slots = tonumber(string.sub(value, 17, 28)), tonumber(string.sub(value, 29, 32))
    local holds = true
    for n = 0, slots - 1 do
        local at = 28 + 12 * tonumber(string.sub(value, 33 + 5 * n, 37 + 5 * n))
        if (tonumber(redis.call('GETRANGE', KEYS[1], at, at + 11)) or 0) > as_of then
            holds = false
            break
        end
    end
    if holds then
        return {0, value, redis.call('PTTL', KEYS[2])}
    end
end
if ARGV[3] == '' or redis.call('SET', KEYS[3], ARGV[3], 'NX', 'PX', ARGV[4]) then
    return {1, head, 0}
end
-- Whoever reads is to tell when it is over.
local owner = redis.call('GET', KEYS[3])
if string.sub(owner, 1, 1) ~= '+' then
    redis.call('SET', KEYS[3], '+' .. owner, 'KEEPTTL')
end
return {2, head, redis.call('PTTL', KEYS[3])}
