internal import CHiredisReader

/// What a subscriber connection says.
package enum PushKind: Sendable, Equatable {
    case message
    /// A message of this many bytes that was passed over, see ``ReplyLimits/messageBytes``; the payload is
    /// its beginning.
    case largeMessage(bytes: Int)
    /// A message that came through a pattern; the channel is the real one.
    case patternMessage
    case subscribed
    case unsubscribed
    case pong
    /// An error reply; the payload is its text.
    case error
    /// Anything else, such as `+OK`; the payload is the text of a string.
    case other
}

extension ReplyBatch {
    /// Calls one of the bodies for each reply of a subscriber connection, in order, allocating nothing.
    ///
    /// Messages come in runs, everything else by itself. The views are valid inside the bodies. What a kind
    /// does not have is empty.
    package func forEachPush(
        messages: (borrowing MessageRun) -> Void,
        other: (_ kind: PushKind, _ channel: RawSpan, _ payload: RawSpan) -> Void
    ) {
        var index = 0
        var channel = 0
        while index < nodeCount {
            let head = node(index)
            switch head.kind {
            case lapse_node_channel:
                channel = index
                index += 1
            case lapse_node_message:
                let run = run(at: index, of: channel)
                index += run.count
                messages(run)
            case lapse_node_large_message:
                node(channel).withBytes { name in
                    head.withBytes { other(.largeMessage(bytes: Int(head.integer)), name, $0) }
                }
                index += 1
            case lapse_node_array:
                index = pushArray(at: index, of: head.elements, messages, other)
            default:
                let kind: PushKind =
                    switch head.kind {
                    case lapse_node_error: .error
                    case lapse_node_simple where head.equals("PONG"): .pong
                    default: .other
                    }
                head.withBytes { other(kind, RawSpan(), $0) }
                index += 1
            }
        }
    }

    /// The same, one by one.
    package func forEachPush(_ body: (_ kind: PushKind, _ channel: RawSpan, _ payload: RawSpan) -> Void) {
        forEachPush { run in
            run.withChannel { channel in run.forEachPayload { body(.message, channel, $0) } }
        } other: {
            body($0, $1, $2)
        }
    }

    /// Returns the index behind the array.
    private func pushArray(
        at index: Int, of elements: Int, _ messages: (borrowing MessageRun) -> Void,
        _ body: (PushKind, RawSpan, RawSpan) -> Void
    ) -> Int {
        // A push has two to four plain elements; with nested ones the last would not be at this place.
        guard (2...4).contains(elements), isFlat(from: index + 1, elements) else {
            body(.other, RawSpan(), RawSpan())
            return end(of: index)
        }
        let word = node(index + 1)
        let second = node(index + 2)
        let last = node(index + elements)
        switch elements {
        case 3 where word.equals("message") && second.isString && last.isString:
            messages(run(index + 3..<index + 4, of: index + 2))
        case 4 where word.equals("pmessage"):
            node(index + 3).withBytes { channel in last.withBytes { body(.patternMessage, channel, $0) } }
        case 3 where word.equals("subscribe") || word.equals("psubscribe"):
            second.withBytes { body(.subscribed, $0, RawSpan()) }
        case 3 where word.equals("unsubscribe") || word.equals("punsubscribe"):
            second.withBytes { body(.unsubscribed, $0, RawSpan()) }
        case 2 where word.equals("pong"):
            second.withBytes { body(.pong, RawSpan(), $0) }
        default:
            body(.other, RawSpan(), RawSpan())
        }
        return index + 1 + elements
    }

    private func isFlat(from index: Int, _ count: Int) -> Bool {
        for offset in 0..<count where node(index + offset).elements > 0 { return false }
        return true
    }
}
