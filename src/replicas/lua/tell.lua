-- Notes what is forgotten, then tells it, and gives those who are to hear it.
-- KEYS: the table of forgettings, the members.
-- ARGV: a name for the table if there is none, its time, the places of what is forgotten (5 digits each; `all`: everything), the channel, what
-- is told, how long ago a member has to have been heard of.
local noted = {ok = true}
if ARGV[3] ~= 'all' and ARGV[3] ~= '' then
    local head = redis.call('GETRANGE', KEYS[1], 0, 27)
    if #head < 28 then
        head = ARGV[1] .. '000000000000'
        noted = redis.pcall('SET', KEYS[1], head)
    end
    local number = string.format('%012.0f', tonumber(string.sub(head, 17, 28)) + 1)
    if not noted.err then
        noted = redis.pcall('SETRANGE', KEYS[1], 16, number)
    end
    for n = 1, #ARGV[3], 5 do
        if type(noted) == 'table' and noted.err then
            break
        end
        local at = 28 + 12 * tonumber(string.sub(ARGV[3], n, n + 4))
        noted = redis.pcall('SETRANGE', KEYS[1], at, number)
    end
    redis.pcall('PEXPIRE', KEYS[1], ARGV[2])
end
-- What cannot be noted takes the table along, and with it everything that is kept by it.
if ARGV[3] == 'all' or (type(noted) == 'table' and noted.err) then
    redis.call('DEL', KEYS[1])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
local now = redis.call('TIME')
local since = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[6]
return redis.call('ZRANGEBYSCORE', KEYS[2], since, '+inf')
