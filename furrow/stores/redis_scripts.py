"""The Lua scripts that write to Redis, each one atomic, and small calls for redis-py's client."""

from __future__ import annotations

from typing import Any

__all__ = ["COMMIT", "PUT", "RENEW", "UNLOCK", "mget", "scan", "unlink"]

# KEYS: epoch, watermark, records' keys. ARGV: the epoch expected, the watermark or "", the records.
# Answers how many records were newer, or -1 if the catalog has changed.
PUT = """
local function may_replace(old, new)
  for at = 2, 10, 8 do
    local old_low, old_high = struct.unpack('<I4i4', old, at)
    local new_low, new_high = struct.unpack('<I4i4', new, at)
    if new_high ~= old_high then return new_high > old_high end
    if new_low ~= old_low then return new_low > old_low end
  end
  return true
end
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
local written = 0
for at = 3, #KEYS do
  local new = ARGV[at]
  if redis.call('SET', KEYS[at], new, 'NX') then
    written = written + 1
  else
    local old = redis.call('GET', KEYS[at])
    if old ~= new and may_replace(old, new) then
      redis.call('SET', KEYS[at], new)
      written = written + 1
    end
  end
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2]) end
return written
"""
# KEYS: epoch, catalog, further ones. ARGV: the epoch expected, the catalog, "set" and a value,
# "delete", or "".
COMMIT = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('INCR', KEYS[1])
if ARGV[3] == 'set' then redis.call('SET', KEYS[3], ARGV[4]) end
if ARGV[3] == 'delete' then redis.call('DEL', unpack(KEYS, 3)) end
return 1
"""
UNLOCK = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
RENEW = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2])"
    " end return 0"
)


def mget(keys: list[bytes], client: Any) -> Any:
    """Values of keys."""
    return client.mget(keys)


def scan(cursor: int, match: bytes, client: Any) -> Any:
    """Some keys that match, and where to go on."""
    return client.scan(cursor, match=match, count=5000)


def unlink(keys: list[bytes], client: Any) -> Any:
    """Delete keys; the server frees them in the background."""
    return client.unlink(*keys)
