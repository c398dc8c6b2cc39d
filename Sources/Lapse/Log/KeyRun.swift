/// Keys back to back, at least one: what a log takes in at once.
package protocol KeyRun: ~Copyable {
    var count: Int { get }
    /// How many bytes the key at an index has.
    func length(at index: Int) -> Int
    /// All keys, back to back.
    func withPayloads<Result>(_ body: (RawSpan) -> Result) -> Result
}
