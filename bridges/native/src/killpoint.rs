//! Places where a test kills a process, one for each side of a durable step.
//!
//! Only in the build that may speak to a testbed: if `COLUMBA_KILL_POINTS` names a folder there, a point that finds a file of its
//! name removes it and kills the process whose number is in it, this one for `self`. In the bridge that is shipped [`hit`] is
//! nothing.

/// Every place. `before`: nothing is durable, or nothing has left. `after`: it is, or has, and nobody has heard of it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "testbed"), allow(dead_code, reason = "only a test reads it"))]
pub enum Point {
    /// A phone linked this device; its record is about to be committed.
    PairedBefore,
    /// It is.
    PairedAfter,
    /// A batch for the vault is about to be asked for.
    CommitBefore,
    /// It is on disk.
    CommitAfter,
    /// A message is about to be encrypted and written to the socket.
    SendBefore,
    /// It is written.
    SendAfter,
    /// An inbound message was decrypted; nobody has heard of it.
    InboundBefore,
    /// The supervisor has it; WhatsApp has not heard of that.
    InboundAfter,
}

/// Kills whom it was told to, if it was told.
#[cfg(feature = "testbed")]
pub fn hit(point: Point) {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use rustix::process::{Pid, Signal, getpid, kill_process};

    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| std::env::var_os("COLUMBA_KILL_POINTS").map(PathBuf::from));
    let Some(folder) = folder else { return };
    let file = folder.join(match point {
        Point::PairedBefore => "paired_before",
        Point::PairedAfter => "paired_after",
        Point::CommitBefore => "commit_before",
        Point::CommitAfter => "commit_after",
        Point::SendBefore => "send_before",
        Point::SendAfter => "send_after",
        Point::InboundBefore => "inbound_before",
        Point::InboundAfter => "inbound_after",
    });
    let Ok(whom) = std::fs::read_to_string(&file) else { return };
    // Several tasks may come by: one of them it is.
    if std::fs::remove_file(&file).is_err() {
        return;
    }
    let pid = match whom.trim() {
        "self" => Some(getpid()),
        number => number.parse().ok().and_then(Pid::from_raw),
    };
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(feature = "testbed"))]
pub fn hit(_: Point) {}
