import RedisClient

/// Asks which of the commands in Lapse's scripts this user may not run. It runs none of them.
enum RightsScript {
    /// KEYS: lock, token, progress, members. ARGV: channel. Before Redis 7.0 a script cannot ask; there the
    /// reads are tried.
    static let registers = Script(
        """
        if not redis.acl_check_cmd then
          redis.call('GET', KEYS[1]) redis.call('PTTL', KEYS[1]) redis.call('HGETALL', KEYS[3]) redis.call('TIME')
          return {}
        end
        local missing = {}
        local function need(...)
          if not redis.acl_check_cmd(...) then missing[#missing + 1] = select(1, ...) end
        end
        need('GET', KEYS[1])
        need('SET', KEYS[2], '1')
        need('DEL', KEYS[1])
        need('PEXPIRE', KEYS[1], '1')
        need('PTTL', KEYS[1])
        need('HGET', KEYS[3], 'term')
        need('HSET', KEYS[3], 'term', '1')
        need('HGETALL', KEYS[3])
        need('HDEL', KEYS[3], 'term')
        need('ZADD', KEYS[4], '1', 'id')
        need('ZREMRANGEBYSCORE', KEYS[4], '0', '1')
        need('ZRANGE', KEYS[4], '0', '-1')
        need('TIME')
        need('INFO', 'server')
        need('PUBLISH', ARGV[1], 'released')
        return missing
        """)

    /// Names each command that is refused once, whichever arguments it was refused with. Before Redis 7.0 a
    /// script cannot ask.
    private static let eachOnce = """
        local missing, seen = {}, {}
        if not redis.acl_check_cmd then return missing end
        local function need(...)
          local name = select(1, ...)
          if not seen[name] and not redis.acl_check_cmd(...) then seen[name] = true missing[#missing + 1] = name end
        end

        """

    /// ARGV: whether databases are selected, then a timer and its companion of each rule. No KEYS: the
    /// names need not be of one slot, and nothing is read.
    static let companions = Script(
        eachOnce + """
            need('SCAN', '0')
            if ARGV[1] == '1' then need('SELECT', '1') end
            for i = 2, #ARGV, 2 do
              need('EXISTS', ARGV[i])
              need('GET', ARGV[i + 1])
              need('DEL', ARGV[i + 1])
            end
            return missing
            """)

    /// ARGV: the layout, then each partition, what its writer keeps, and a cursor. No KEYS, as above.
    static let appending = Script(
        eachOnce + """
            need('HSETNX', ARGV[1], 'format', '1')
            need('HMGET', ARGV[1], 'format')
            need('HSET', ARGV[1], 'partitions', '1')
            for i = 2, #ARGV, 3 do
              local stream, writer, cursor = ARGV[i], ARGV[i + 1], ARGV[i + 2]
              need('TYPE', stream)
              need('XLEN', stream)
              need('XADD', stream, '*', 'id', '1')
              need('XTRIM', stream, 'MAXLEN', '=', '1')
              need('XRANGE', stream, '-', '+')
              need('XINFO', 'GROUPS', stream)
              need('XPENDING', stream, 'group')
              need('HMGET', writer, 'length')
              need('HSET', writer, 'length', '1')
              need('HGET', cursor, 'last')
              need('HSET', cursor, 'last', '1')
              need('HDEL', cursor, 'last')
              need('PEXPIRE', cursor, '1')
            end
            return missing
            """)

    /// ARGV: the stream for dead letters. No KEYS, as above.
    static let deadLetters = Script(
        eachOnce + """
            need('XADD', ARGV[1], '*', 'key', '')
            need('TYPE', ARGV[1])
            need('XLEN', ARGV[1])
            return missing
            """)

    /// ARGV: whether databases are selected, then a wanted key of each pattern where deadlines are asked
    /// for. No KEYS, as above.
    static let punctuality = Script(
        eachOnce + """
            need('SCAN', '0')
            if ARGV[1] == '1' then need('SELECT', '1') end
            for i = 2, #ARGV do
              need('PTTL', ARGV[i])
              need('PEXPIRETIME', ARGV[i])
            end
            return missing
            """)
}
