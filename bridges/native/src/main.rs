//! The production bridge. It accepts no certificates but WhatsApp's.

fn main() -> std::process::ExitCode {
    columba_bridge_native::main()
}
