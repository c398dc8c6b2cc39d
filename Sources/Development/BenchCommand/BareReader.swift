import Foundation
import ThrowawayRedis

/// A thread that reads the events' socket, finds the keys in the bytes, and does nothing else.
final class BareReader: Sendable {
    private let socket: PlainSocket
    private let times: StreamTimes

    init(_ server: ThrowawayServer, _ times: StreamTimes) throws {
        socket = try PlainSocket(to: server)
        self.times = times
        socket.write(Array("SUBSCRIBE __keyevent@0__:expired\r\n".utf8))
        var buffer = [UInt8](repeating: 0, count: 1024)
        _ = socket.read(into: &buffer)
    }

    func start() {
        let thread = Thread { [socket, times] in
            let prefix = Array("{bench}:".utf8)
            let length = prefix.count + ExpirationBurst.digits(tag: "bench")
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            var rest: [UInt8] = []
            while true {
                let count = socket.read(into: &buffer)
                guard count > 0 else { return }
                let now = times.now
                rest += buffer[..<count]
                var numbers: [Int] = []
                var index = 0
                while index + length <= rest.count {
                    guard rest[index] == prefix[0], rest[index..<index + prefix.count].elementsEqual(prefix) else {
                        index += 1
                        continue
                    }
                    numbers.append(KeyNumber.of(rest[index + length - KeyNumber.digits..<index + length]) - 1)
                    index += length
                }
                rest.removeFirst(index)
                times.read(numbers, at: now)
            }
        }
        thread.start()
    }

    func stop() { socket.end() }
}

/// A thread that touches keys at an even rate: in each millisecond its share.
final class PacedSender: Sendable {
    private let socket: PlainSocket
    private let times: StreamTimes
    private let rate: Int
    private let count: Int

    init(_ server: ThrowawayServer, _ times: StreamTimes, rate: Int, count: Int) throws {
        socket = try PlainSocket(to: server)
        self.times = times
        self.rate = rate
        self.count = count
    }

    func run() async {
        await withCheckedContinuation { continuation in
            let thread = Thread { [self] in
                send()
                continuation.resume()
            }
            thread.start()
        }
    }

    private func send() {
        let started = ContinuousClock.now
        var sent = 0
        // Without replies: they would never be read.
        socket.write(Array("CLIENT REPLY OFF\r\n".utf8))
        while sent < count {
            let due = min(count, Int((ContinuousClock.now - started) / .milliseconds(1)) * rate / 1000)
            if due > sent {
                var commands: [UInt8] = []
                for number in sent..<due { commands += Array("EXISTS \(ExpirationBurst.key(number + 1))\r\n".utf8) }
                times.sending(sent..<due)
                socket.write(commands)
                sent = due
            }
            usleep(100)
        }
    }
}
