import Glibc
import Supervision

// The parent of `lapse --supervise on`, as an executable of its own: without the libraries that
// `lapse` loads it takes a third of the memory. `lapse` runs it where it stands beside it.
guard let orders = ParentOrders(Array(CommandLine.arguments.dropFirst())) else {
    let text = Array("lapse-parent: run by lapse --supervise on, and not by hand\n".utf8)
    _ = unsafe write(2, text, text.count)
    exit(64)
}
Supervisor.run(orders)
