import Testing

@testable import RESP

@Suite struct HashSlotTests {
    @Test(arguments: [
        ("", 0), ("123456789", 12_739), ("foo", 12_182), ("bar", 5_061), ("a", 15_495), ("hello", 866),
        ("{user1000}.following", 3_443), ("user1000", 3_443),
    ])
    func knowsTheSlot(key: String, slot: UInt16) {
        #expect(HashSlot.of(key) == slot)
        #expect(HashSlot.of(Array(key.utf8)) == slot)
    }

    /// The examples of the cluster specification: what is hashed of each key.
    @Test(arguments: [
        ("{user1000}.following", "user1000"),
        ("foo{bar}{zap}", "bar"),
        ("{bar", nil), ("bar}", nil), ("}bar{", nil),
        ("foo{}{bar}", nil),
        ("foo{{bar}}zap", "{bar"),
        ("a{}", nil),
        ("{b}", "b"),
    ])
    func hashesTheTag(key: String, tag: String?) {
        if let tag {
            #expect(HashSlot.of(key) == HashSlot.of("x{" + tag + "}y"))
            #expect(HashSlot.of(key) == slotBitByBit(Array(tag.utf8)))
        } else {
            #expect(HashSlot.of(key) == slotBitByBit(Array(key.utf8)))
        }
    }

    @Test func agreesWithTheDefinitionForBinaryKeys() {
        var numbers = SeededNumbers(state: 7)
        for _ in 0..<500 {
            let key = (0..<Int.random(in: 0...80, using: &numbers)).map { _ in
                UInt8.random(in: .min ... .max, using: &numbers)
            }.filter { $0 != UInt8(ascii: "{") }
            #expect(HashSlot.of(key) == slotBitByBit(key))
        }
    }

    /// CRC16/XMODEM as its definition says it.
    private func slotBitByBit(_ bytes: [UInt8]) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes {
            crc ^= UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : (crc << 1) ^ 0x1021 }
        }
        return crc % 16384
    }
}
