//! The scripts that Redis runs. Each does one step of a room at once, and does no harm when it is sent again.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use redis::{Script, Value};

use super::{
    connection::{Connections, Question},
    error::BusError,
};

/// Takes the lease of a room that has none. `own epoch out`; node, milliseconds. Returns the epoch or 0, the owner, and the
/// milliseconds that its lease lasts. The epoch is the time in milliseconds, or one more than the last: also a Redis that has lost
/// its data gives none that it gave before.
pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local own = redis.call('GET', KEYS[1])
if own then return {0, own, redis.call('PTTL', KEYS[1])} end
local epoch = tonumber(redis.call('GET', KEYS[2]) or '0')
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if last then epoch = math.max(epoch, tonumber(string.match(last[1], '^%d+'))) end
local now = redis.call('TIME')
epoch = math.max(epoch + 1, now[1] * 1000 + math.floor(now[2] / 1000))
epoch = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], epoch, 'EX', 86400)
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. epoch, 'PX', ARGV[2])
return {tonumber(epoch), '', 0}",
    )
});

/// Renews a lease, also one that has run out if nobody took it, and keeps what the room has. `own epoch out in seq pos`; node,
/// epoch, milliseconds. Returns 1, or 0 if another node has it.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local mine = ARGV[1] .. ' ' .. ARGV[2]
local own = redis.call('GET', KEYS[1])
local epoch = tonumber(redis.call('GET', KEYS[2]) or '0')
if own and own ~= mine or epoch > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', 86400)
redis.call('SET', KEYS[1], mine, 'PX', ARGV[3])
for at = 3, #KEYS do redis.call('EXPIRE', KEYS[at], 3600) end
return 1",
    )
});

/// Gives a lease back. `own`; node, epoch, channel.
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ' ' .. ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[3], 'free')
return 1",
    )
});

/// Looks at a room. `own out in who`. Returns the owner, the milliseconds of its lease, and the last ids of both streams.
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local function last(key)
  local record = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  return record and record[1] or '0-0'
end
redis.call('EXPIRE', KEYS[4], 3600)
return {redis.call('GET', KEYS[1]) or '', redis.call('PTTL', KEYS[1]), last(KEYS[2]), last(KEYS[3])}",
    )
});

/// Adds records to the output of a room. `epoch out pos`; channel, epoch, first number, records kept, the last record of the
/// input that the worker took, then pairs of kind and payload. A record that is there already is not added again.
pub(super) static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local mine, number = tonumber(ARGV[2]), tonumber(ARGV[3])
local epoch = tonumber(redis.call('GET', KEYS[1]) or '0')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local before = last and last[1] or '0-0'
local last_epoch, last_number = string.match(before, '^(%d+)-(%d+)$')
last_epoch, last_number = tonumber(last_epoch), tonumber(last_number)
if epoch > mine or last_epoch > mine then return redis.error_reply('FENCED another node owns the room') end
if epoch < mine then redis.call('SET', KEYS[1], ARGV[2], 'EX', 86400) end
for at = 6, #ARGV, 2 do
  if last_epoch < mine or last_number < number then
    local id = ARGV[2] .. '-' .. number
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], id, 'p', before, 't', ARGV[at], 'd', ARGV[at + 1])
    redis.call('PUBLISH', ARGV[1], before .. ' ' .. id .. ' ' .. #ARGV[at] .. '\n' .. ARGV[at] .. ARGV[at + 1])
    before, last_epoch, last_number = id, mine, number
  end
  number = number + 1
end
redis.call('EXPIRE', KEYS[2], 3600)
if ARGV[5] ~= '0-0' then redis.call('SET', KEYS[3], ARGV[5], 'EX', 3600) end
return before",
    )
});

/// Notes the last record of the input that the worker took, and drops those before it. `epoch pos in`; epoch, record. Returns 1,
/// or 0 if another node has the room.
pub(super) static NOTE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if tonumber(redis.call('GET', KEYS[1]) or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', 3600)
redis.call('XTRIM', KEYS[3], 'MINID', '~', ARGV[2])
return 1",
    )
});

/// Adds records to the input of a room. `in seq who pos`; channel, node, first number, the most records and bytes that may be
/// there, then triples of kind, client and payload. A record that is there already is not added again. What the worker took
/// makes room; without room, nothing is added. Returns the id of the last of them, or a later one.
pub(super) static POST: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local number = tonumber(ARGV[3])
local function is_full()
  local bytes = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 0)
  return redis.call('XLEN', KEYS[1]) > tonumber(ARGV[4]) or type(bytes) == 'number' and bytes > tonumber(ARGV[5])
end
if is_full() then
  redis.call('XTRIM', KEYS[1], 'MINID', redis.call('GET', KEYS[4]) or '0-0')
  if is_full() then return redis.error_reply('FULL the program does not read') end
end
local known = tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or '0')
local id = '0-0'
for at = 6, #ARGV, 3 do
  if number > known then
    local kind, client, data = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    if kind == 'open' then redis.call('HSET', KEYS[3], client, data) end
    if kind == 'close' then redis.call('HDEL', KEYS[3], client) end
    id = redis.call('XADD', KEYS[1], '*', 'n', ARGV[2], 'k', kind, 'c', client, 'd', data)
  end
  number = number + 1
end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', math.max(known, number - 1)))
redis.call('EXPIRE', KEYS[1], 3600)
redis.call('EXPIRE', KEYS[2], 3600)
redis.call('EXPIRE', KEYS[3], 3600)
redis.call('PUBLISH', ARGV[1], id)
if id == '0-0' then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if last then id = last[1] end
end
return id",
    )
});

/// Refuses a node of a cluster or a sentinel that is named as a single server.
async fn check_kind(connections: &Connections) -> Result<(), BusError> {
    if connections.is_cluster() {
        return Ok(());
    }
    // The other checks tell what is wrong with a server that does not answer this.
    let hello = redis::cmd("HELLO");
    let facts: HashMap<String, Value> = connections.ask(&Question::Command(&hello), None).await.unwrap_or_default();
    match facts.get("mode") {
        Some(Value::BulkString(mode)) if mode == b"cluster" => Err(BusError::Misnamed {
            what: "this server is a node of a cluster",
            hint: "name several of its nodes, separated by commas, or this one twice",
        }),
        Some(Value::BulkString(mode)) if mode == b"sentinel" => {
            Err(BusError::Misnamed { what: "this server is a sentinel", hint: "write sentinel://HOST:26379/NAME" })
        }
        _ => Ok(()),
    }
}

/// Checks that it is named as what it is, that the server has streams, scripts and `SET … GET`, that it may be written to, and that the user has the channels.
pub(super) async fn check(connections: &Connections, key: &str) -> Result<(), BusError> {
    check_kind(connections).await?;
    let script = Script::new(
        r"
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10, '1-1', 'd', ARGV[1])
local found = #redis.call('XRANGE', KEYS[1], '(0-0', '+')
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[1], '')
redis.call('TIME')
return found",
    );
    let found: u64 = connections.ask(&Question::Script(&script, &[key], &[b"check"]), None).await?;
    if found == 1 { Ok(()) } else { Err(BusError::Unfit("the server has no streams")) }
}

/// Returns the milliseconds of a time.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
