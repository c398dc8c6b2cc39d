import Testing

@testable import Supervision

@Suite struct ParentOrdersTests {
    private static let orders = ParentOrders(
        settings: .init(onCrash: .exit, releaseLimit: .milliseconds(4500)), reportsCrashes: true,
        form: .json, executable: "/proc/7/fd/3", name: "lapse", commandLine: ["run", "--id", "a b"])

    @Test func theyAreReadAsTheyWereWritten() {
        #expect(ParentOrders(Self.orders.words) == Self.orders)
        #expect(Self.orders.words(.worker) == ["lapse", "__worker", "run", "--id", "a b"])
    }

    @Test(arguments: [
        [], ["restart"], ["never", "1", "on", "text", "/proc/7/fd/3", "lapse"],
        ["restart", "0", "on", "text", "/proc/7/fd/3", "lapse"],
        ["restart", "1", "maybe", "text", "/proc/7/fd/3", "lapse"], ["restart", "1", "on", "text", "lapse", "lapse"],
        ["restart", "9999999999999", "on", "text", "/proc/7/fd/3", "lapse"],
        ["restart", "1", "on", "yaml", "/proc/7/fd/3", "lapse"],
        ["restart", "1", "on", "/proc/7/fd/3", "lapse", "run"],
    ])
    func whatNoVersionWritesIsRefused(words: [String]) { #expect(ParentOrders(words) == nil) }

    @Test func theFirstWordSaysTheRole() {
        #expect(Role.split(["__worker", "run"]) == (.worker, ["run"]))
        #expect(Role.split(["run", "__worker"]) == (nil, ["run", "__worker"]))
        #expect(Role.split([]) == (nil, []))
    }
}
