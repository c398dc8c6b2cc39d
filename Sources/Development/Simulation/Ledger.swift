import LeaderElection

/// The truth: what was announced, what handlers did, which terms there were; and the first thing that
/// was not as it must be.
struct Ledger {
    var now: Duration = .zero
    private(set) var violation: Violation?
    var registers = 0
    /// Every life of every node process, by run ID.
    var processes: [String: NodeProcess] = [:]
    var confirmations: [String: Set<Int>] = [:]
    private var largestToken = FencingToken(rawValue: 0)
    private var terms = 0
    /// The fenced resource: the largest token it has seen, and the term, by order of beginning, of the last
    /// effect it took.
    private var resourceToken = FencingToken(rawValue: 0)
    private var resourceOrder = 0
    /// Companions' timers that a handler has handled.
    var handledTimers: Set<[UInt8]> = []
    /// Keys that a handler has handled, under whatever number.
    var handledKeys: Set<[UInt8]> = []
    /// How many leaders died over a key that kills.
    var deaths: [[UInt8]: Int] = [:]
    /// When each term's handlers were cancelled, or it ended, by order.
    var termEnds: [Int: Duration] = [:]
    /// Those whose lease was given back.
    var termsGivenBack: Set<Int> = []
    /// When a replica was last killed.
    var lastDeath: Duration = .seconds(-100)
    var requests = 0
    var isDone = false

    mutating func violate(_ invariant: Invariant, _ text: @autoclosure () -> String) {
        if violation == nil { violation = Violation(invariant: invariant, at: now, text: text()) }
    }

    /// I2 and I7; returns the term's place in the order of beginnings.
    mutating func checkToken(_ info: LeaseMachine.TermInfo, registers: Int) {
        let largest = largestToken
        if info.token <= largest { violate(.i2, "token \(info.token) after \(largest)") }
        largestToken = max(largestToken, info.token)
        if info.token.rawValue == 0 || confirmations[info.claim.value, default: []].count <= registers / 2 {
            violate(.i7, "term \(info.term) of \(info.claim.id) without a confirmed token")
        }
    }

    mutating func beginTerm() -> Int {
        terms += 1
        return terms
    }

    /// An effect reaches the resource; false when its token is too old.
    mutating func effect(_ token: FencingToken, order: Int) -> Bool {
        guard token >= resourceToken else { return false }
        resourceToken = token
        if order < resourceOrder { violate(.i3, "an effect of an earlier term was accepted with token \(token)") }
        resourceOrder = max(resourceOrder, order)
        return true
    }
}
