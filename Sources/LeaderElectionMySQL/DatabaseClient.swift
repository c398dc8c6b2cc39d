#if MySQL
import Endpoints
import CMariaDB

/// One client of the C library. Everything but `interrupt` belongs to the database's thread.
// The C client guards what `interrupt` reads by a lock of its own; the rest is only called on one
// thread.
@safe final class DatabaseClient: @unchecked Sendable {
    private let client: OpaquePointer?

    /// The cells of a result, one array a row; nil for SQL's NULL.
    typealias Rows = [[[UInt8]?]]

    init() { unsafe client = lapse_mysql_make() }

    deinit {
        if let client = unsafe client { unsafe lapse_mysql_free(client) }
    }

    var isConnected: Bool {
        guard let client = unsafe client else { return false }
        return unsafe lapse_mysql_is_connected(client)
    }

    func connect(_ configuration: MySQLConfiguration) throws(DatabaseFailure) {
        let client = unsafe try usable
        let tls = configuration.tls
        let strings = CStrings([
            configuration.host, configuration.user,
            configuration.passwordFile?.current.reveal ?? configuration.password?.text, configuration.database,
            tls.map { $0.authority ?? CStrings.systemAuthorities }, tls?.certificate, tls?.key,
        ])
        var settings = unsafe lapse_mysql_settings()
        unsafe settings.host = strings[0]
        unsafe settings.port = UInt32(configuration.port)
        unsafe settings.user = strings[1]
        unsafe settings.password = strings[2]
        unsafe settings.database = strings[3]
        unsafe settings.timeout_seconds = configuration.timeoutSeconds
        unsafe settings.uses_tls = tls != nil
        unsafe settings.tls_authority = strings[4]
        unsafe settings.tls_certificate = strings[5]
        unsafe settings.tls_key = strings[6]
        let connected = unsafe lapse_mysql_connect(client, &settings)
        withExtendedLifetime(strings) {}
        guard connected else { throw unsafe failure(client) }
    }

    func disconnect() {
        if let client = unsafe client { unsafe lapse_mysql_disconnect(client) }
    }

    /// From any thread: what waits for the server ends, and nothing connects any more.
    func interrupt() {
        if let client = unsafe client { unsafe lapse_mysql_interrupt(client) }
    }

    /// The rows of a query.
    func query(_ statement: String) throws(DatabaseFailure) -> Rows {
        let client = unsafe try run(statement)
        let columns = unsafe lapse_mysql_column_count(client)
        return unsafe (0..<lapse_mysql_row_count(client)).map { row in
            (0..<columns).map { column in
                var length = 0
                guard let bytes = unsafe lapse_mysql_cell(client, row, column, &length) else { return nil }
                return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: length))
            }
        }
    }

    /// How many rows a write met.
    @discardableResult
    func write(_ statement: String) throws(DatabaseFailure) -> UInt64 {
        let client = unsafe try run(statement)
        return unsafe lapse_mysql_matched_rows(client)
    }

    private func run(_ statement: String) throws(DatabaseFailure) -> OpaquePointer {
        let client = unsafe try usable
        var statement = statement
        let done = statement.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe lapse_mysql_query(client, characters.baseAddress, characters.count)
            }
        }
        guard done else { throw unsafe failure(client) }
        return unsafe client
    }

    private var usable: OpaquePointer {
        get throws(DatabaseFailure) {
            guard let client = unsafe client else { throw DatabaseFailure(.unexpected, "out of memory") }
            return unsafe client
        }
    }

    private func failure(_ client: OpaquePointer) -> DatabaseFailure {
        unsafe DatabaseFailure(
            number: lapse_mysql_error_number(client), text: String(cString: lapse_mysql_error_text(client)))
    }
}

/// C strings that live as long as this.
@safe private final class CStrings {
    private let copies: [UnsafeMutablePointer<CChar>?]

    /// Where Debian, Ubuntu and Alpine keep the authorities they trust.
    static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    init(_ strings: [String?]) {
        unsafe copies = strings.map { text in
            guard let text else { return nil }
            let bytes = Array(text.utf8CString)
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            unsafe copy.initialize(from: bytes, count: bytes.count)
            return unsafe copy
        }
    }

    deinit {
        for index in unsafe copies.indices { unsafe copies[index]?.deallocate() }
    }

    subscript(index: Int) -> UnsafePointer<CChar>? { unsafe copies[index].map { unsafe UnsafePointer($0) } }
}
#endif
