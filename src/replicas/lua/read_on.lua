-- Keeps the lock of a reading that goes on.
-- KEYS: the lock. ARGV: who reads, for how long it may.
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[1] or owner == '+' .. ARGV[1] then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
