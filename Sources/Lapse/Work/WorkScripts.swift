import RedisClient

/// What a worker does to a stream in one step. The keys are the stream and, in its slot, the hash of
/// the attempts begun.
enum WorkScripts {
    /// Takes what silent workers left; with 0 milliseconds, what this consumer has as the group knows it.
    /// Returns where to go on, the entries, and how many are no longer in the stream.
    ///
    /// - Arguments: group, consumer, milliseconds, from, limit; how many bytes of entries an answer may
    ///   have (one entry always), of how many bytes an entry is answered by its size alone, of how many
    ///   names and values by none; IDs to be passed over.
    /// - Not by XAUTOCLAIM, which (since Redis 7) drops what was deleted also while its worker lives and
    ///   handles it.
    static let claim = Script(
        """
        local limit, left, held = tonumber(ARGV[5]), tonumber(ARGV[6]), {}
        for i = 9, #ARGV do held[ARGV[i]] = true end
        local most = limit + #ARGV - 8
        local query = {'XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], ARGV[4], '+', most}
        if ARGV[3] == '0' then query[#query + 1] = ARGV[2] end
        local silent = redis.call(unpack(query))
        local found, gone = {}, 0
        for _, pending in ipairs(silent) do
          local id = pending[1]
          if not held[id] then
            if #found == limit then return {id, found, gone} end
            local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
            if entry then
              local size = 0
              for _, word in ipairs(entry[2]) do size = size + #word end
              if size > tonumber(ARGV[7]) then
                entry, size = {id, size}, 0
              elseif #entry[2] > tonumber(ARGV[8]) then
                entry, size = {id, {}}, 0
              end
              if size > left and #found > 0 then return {id, found, gone} end
              left = left - size
              redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], id, 'JUSTID')
              found[#found + 1] = entry
            else
              gone = gone + 1
              redis.call('XACK', KEYS[1], ARGV[1], id)
              redis.call('HDEL', KEYS[2], id)
            end
          end
        end
        return {#silent == most and silent[most][1] or '0-0', found, gone}
        """)

    /// Acknowledges as ``acknowledge`` does, then counts an attempt for each entry, a turn only once.
    /// Returns the counts, 0 for what is not this consumer's.
    ///
    /// - Arguments: group, consumer, how long the counts are kept, from which idle time on (both in
    ///   milliseconds) an entry is kept from being claimed, how many IDs are handled, these; then ID and
    ///   turn in pairs, the IDs ascending.
    /// - What was deleted stays pending, as in ``keep``. One XPENDING asks for all; one for each only where
    ///   the consumer has too many others in between.
    static let begin = Script(
        """
        local first = 5 + ARGV[5]
        if first > 5 then
          redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 6, first))
          redis.call('HDEL', KEYS[2], unpack(ARGV, 6, first))
        end
        local wanted, ids, idle = (#ARGV - first) / 2, {}, {}
        for i = first + 1, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
        local most = 2 * wanted + 16
        local own = redis.call('XPENDING', KEYS[1], ARGV[1], ids[1], ids[wanted], most, ARGV[2])
        for _, pending in ipairs(own) do idle[pending[1]] = pending[3] end
        if #own == most then
          for _, id in ipairs(ids) do
            local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])[1]
            idle[id] = pending and pending[3]
          end
        end
        local known = redis.call('HMGET', KEYS[2], unpack(ids))
        local counts, changes = {}, {}
        for i, id in ipairs(ids) do
          local turn, count = ARGV[first + 2 * i], 0
          if idle[id] then
            local last
            if known[i] then
              local digits, rest = string.match(known[i], '^(%d+) (.*)$')
              count, last = tonumber(digits) or 0, rest
            end
            if last ~= turn then
              count = count + 1
              changes[#changes + 1] = id
              changes[#changes + 1] = string.format('%d %s', count, turn)
            end
            if idle[id] >= tonumber(ARGV[4]) and redis.call('XRANGE', KEYS[1], id, id)[1] then
              redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
            end
          end
          counts[i] = count
        end
        if #changes > 0 then redis.call('HSET', KEYS[2], unpack(changes)) end
        redis.call('PEXPIRE', KEYS[2], ARGV[3])
        return counts
        """)

    /// Arguments: group, then the IDs that are handled. Repeating it changes nothing.
    static let acknowledge = Script(
        """
        redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
        redis.call('HDEL', KEYS[2], unpack(ARGV, 2))
        return 1
        """)

    /// The heartbeat. Arguments: group, consumer, then IDs. Returns those that are not this consumer's any
    /// more, and those that were deleted from the stream: XCLAIM would drop them (since Redis 7), and with
    /// a lost answer they would go untold. They stay pending until they are acknowledged.
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

    /// A worker leaves. Arguments: group, consumer, and an idle time after which any worker may claim.
    /// Gives back what the consumer still has, and removes a consumer that has nothing; those of others too
    /// that have been away for a day. Returns how many entries were deleted from the stream, and are lost.
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
