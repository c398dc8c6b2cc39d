import Lapse

@testable import LapseDoctor

/// A doctor whose connections end with what it is asked for.
func withDoctor<Value: Sendable>(
    _ configuration: ProcessorConfiguration, _ body: (Doctor) async throws -> Value
) async throws -> Value {
    let doctor = try Doctor(configuration)
    do {
        let value = try await body(doctor)
        await doctor.shutDown()
        return value
    } catch {
        await doctor.shutDown()
        throw error
    }
}
