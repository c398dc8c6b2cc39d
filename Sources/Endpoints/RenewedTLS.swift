package import NIOSSL
import Synchronization

/// Something made of TLS files, such as a context, and made anew when one of the files has changed.
package final class RenewedTLS<Product: Sendable>: Sendable {
    private struct State {
        var stamps: [FileStamp?]
        var product: Product
    }

    private let files: TLSFiles
    private let make: @Sendable (TLSConfiguration) throws -> Product
    private let state: Mutex<State>

    /// Makes the first one; an error of the files or of `make` is thrown.
    package init(_ files: TLSFiles, make: @escaping @Sendable (TLSConfiguration) throws -> Product) throws {
        self.files = files
        self.make = make
        let stamps = files.stamps
        state = Mutex(State(stamps: stamps, product: try make(try files.configuration())))
    }

    /// The product of the files as they are now. While they cannot be read, or a certificate waits for its
    /// key, the last one.
    ///
    /// - Parameter replaced: gets the one before, when it was replaced.
    package func current(replaced: (Product) -> Void = { _ in }) -> Product {
        let (product, old) = state.withLock { state -> (Product, Product?) in
            let stamps = files.stamps
            guard stamps != state.stamps, let configuration = try? files.configuration(),
                let product = try? make(configuration)
            else { return (state.product, nil) }
            let old = state.product
            state = State(stamps: stamps, product: product)
            return (product, old)
        }
        if let old { replaced(old) }
        return product
    }
}
