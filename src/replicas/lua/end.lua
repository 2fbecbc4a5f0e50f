-- Ends a reading: keeps what it brought if nothing of that was forgotten since it began, and gives the lock back.
-- KEYS: the table of forgettings, the value, the lock.
-- ARGV: who read, where to tell that it is over, and what was brought (empty: nothing to keep) with its time.
local value = ARGV[3]
if value ~= '' then
    local as_of, slots = tonumber(string.sub(value, 17, 28)), tonumber(string.sub(value, 29, 32))
    local holds = redis.call('GETRANGE', KEYS[1], 0, 15) == string.sub(value, 1, 16)
    for n = 0, slots - 1 do
        if not holds then
            break
        end
        local at = 28 + 12 * tonumber(string.sub(value, 33 + 5 * n, 37 + 5 * n))
        holds = (tonumber(redis.call('GETRANGE', KEYS[1], at, at + 11)) or 0) <= as_of
    end
    if holds then
        -- There may be no room.
        redis.pcall('SET', KEYS[2], value, 'PX', ARGV[4])
    end
end
local owner = redis.call('GET', KEYS[3])
if owner == ARGV[1] then
    redis.call('DEL', KEYS[3])
elseif owner == '+' .. ARGV[1] then
    redis.call('DEL', KEYS[3])
    redis.call('PUBLISH', ARGV[2], KEYS[3])
end
return 0
