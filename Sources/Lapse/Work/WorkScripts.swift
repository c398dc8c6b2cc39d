import RedisClient

/// What a worker does to a stream in one step. The keys are the stream and, in its slot, the hash of the attempts begun.
enum WorkScripts {
    /// Takes what silent workers left. Arguments: group, consumer, milliseconds, from, limit. Returns where to go on, the entries, and
    /// how many are no longer in the stream.
    ///
    /// Not by XAUTOCLAIM, which (since Redis 7) drops what was deleted also while its worker lives and handles it.
    static let claim = Script(
        """
        local silent = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], ARGV[4], '+', ARGV[5])
        local next, found, gone = '0-0', {}, 0
        for _, pending in ipairs(silent) do
          local id = pending[1]
          local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
          if entry then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id, 'JUSTID')
            found[#found + 1] = entry
          else
            gone = gone + 1
            redis.call('XACK', KEYS[1], ARGV[1], id)
            redis.call('HDEL', KEYS[2], id)
          end
        end
        -- The last one is idle no more.
        if #silent == tonumber(ARGV[5]) then next = silent[#silent][1] end
        return {next, found, gone}
        """)

    /// Counts an attempt for each. Arguments: group, consumer, how long the counts are kept, then ID and turn in pairs: a turn that
    /// was counted is not counted again. Returns the counts, 0 for what is not this consumer's.
    ///
    /// What was deleted stays pending, as in ``keep``.
    static let begin = Script(
        """
        local counts = {}
        for i = 4, #ARGV, 2 do
          local id, turn = ARGV[i], ARGV[i + 1]
          local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
          local count = 0
          if pending and pending[2] == ARGV[2] then
            local known = redis.call('HGET', KEYS[2], id)
            local last
            if known then
              local digits, rest = string.match(known, '^(%d+) (.*)$')
              count, last = tonumber(digits) or 0, rest
            end
            if last ~= turn then
              count = count + 1
              redis.call('HSET', KEYS[2], id, string.format('%d %s', count, turn))
            end
            if redis.call('XRANGE', KEYS[1], id, id)[1] then
              redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
            end
          end
          counts[#counts + 1] = count
        end
        redis.call('PEXPIRE', KEYS[2], ARGV[3])
        return counts
        """)

    /// Arguments: group, then the IDs that are handled. Repeating it changes nothing.
    static let acknowledge = Script(
        """
        for i = 2, #ARGV do
          redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
          redis.call('HDEL', KEYS[2], ARGV[i])
        end
        return 1
        """)

    /// The heartbeat. Arguments: group, consumer, then IDs. Returns those that are not this consumer's any more, and those that
    /// were deleted from the stream.
    ///
    /// XCLAIM would drop a deleted entry (since Redis 7). It stays pending until it is acknowledged, so that a lost answer loses
    /// nothing.
    static let keep = Script(
        """
        local lost, gone = {}, {}
        for i = 3, #ARGV do
          local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
          if not pending or pending[2] ~= ARGV[2] then
            lost[#lost + 1] = ARGV[i]
          elseif redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1] then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
          else
            gone[#gone + 1] = ARGV[i]
          end
        end
        return {lost, gone}
        """)

    /// A worker leaves. Arguments: group, consumer, and an idle time after which everybody may claim. Gives back what the consumer
    /// still has, and removes a consumer that has nothing; those of others too that have been away for a day. Returns how many
    /// entries were deleted from the stream, and are lost.
    static let leave = Script(
        """
        local left = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000, ARGV[2])
        local gone = 0
        for _, entry in ipairs(left) do
          local id = entry[1]
          if redis.call('XRANGE', KEYS[1], id, id)[1] then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', ARGV[3], 'JUSTID')
          else
            gone = gone + 1
            redis.call('XACK', KEYS[1], ARGV[1], id)
            redis.call('HDEL', KEYS[2], id)
          end
        end
        if #left == gone and gone < 10000 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
        for _, facts in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
          local fact = {}
          for i = 1, #facts, 2 do fact[facts[i]] = facts[i + 1] end
          if fact.pending == 0 and fact.idle > 86400000 then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fact.name)
          end
        end
        return gone
        """)
}
