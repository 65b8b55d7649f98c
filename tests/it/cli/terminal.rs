//! On a terminal: colours, what is redrawn, and questions. `script`, which every Debian has, makes the terminal.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Desk, PATIENCE};
use crate::support::server::{Server, program};

/// Runs the program on a terminal of this size; everything it showed, and how it ended.
async fn on_terminal(
    desk: &Desk,
    (rows, columns): (u16, u16),
    environment: &[(&str, &str)],
    arguments: &[&str],
    typed: &str,
) -> (String, i32) {
    let program = program("columba");
    let line = format!("stty rows {rows} cols {columns}; exec {} {}", program.display(), arguments.join(" "));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TERM", "xterm-256color")
        .envs(desk.environment())
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("`script` of util-linux makes a terminal: apt-get install bsdutils");
    // Kept open: its end would end the terminal.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).await.unwrap();
    let ended =
        tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends by itself").unwrap();
    drop(stdin);
    (String::from_utf8(ended.stdout).unwrap(), ended.status.code().unwrap())
}

#[tokio::test]
async fn a_terminal_gets_colours_a_code_that_is_redrawn_and_questions() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let session = desk.run(&["session", "create", "sales", "-q"]).await.word();

    // Large enough: the picture is painted, and replaced when the session moves on.
    let (shown, code) =
        on_terminal(&desk, (60, 120), &[], &["session", "pair", &session, "--timeout", "5"], "").await;
    assert_eq!(code, 75, "nobody scans: {shown}");
    assert!(shown.contains("\x1b[38;5;231m\x1b[48;5;16m█"), "painted: {shown}");
    assert!(shown.contains("A\x1b[J"), "redrawn: {shown}");
    let (before, after) =
        (shown.find("▶ on the phone: WhatsApp").unwrap(), shown.find("code 1 of 7, ").unwrap());
    assert!(before < after, "{shown}");
    let counts = shown.matches("code 1 of 7, ").count();
    assert!(counts > 1, "the countdown goes on: {shown}");

    // Too small: nothing is redrawn, and what would help is said.
    let (shown, _) =
        on_terminal(&desk, (24, 80), &[], &["session", "pair", &session, "--timeout", "1"], "").await;
    assert!(!shown.contains("A\x1b[J") && shown.contains("the terminal is 80 columns by 24 rows"), "{shown}");

    let (paired, code) =
        on_terminal(&desk, (60, 120), &[], &["session", "pair", &session, "--play-phone"], "").await;
    assert!(code == 0 && paired.contains("✓ connected"), "{paired}");

    let (coloured, _) = on_terminal(&desk, (24, 200), &[], &["session", "list"], "").await;
    assert!(coloured.contains("\x1b[32mconnected\x1b[0m") && coloured.contains("\x1b[1mID"), "{coloured}");
    for plain in [&[("NO_COLOR", "1")], &[("TERM", "dumb")]] {
        let (text, _) = on_terminal(&desk, (24, 200), plain, &["session", "list"], "").await;
        assert!(!text.contains('\x1b') && text.contains("connected"), "{plain:?}: {text}");
    }

    let delete = ["session", "delete", &session];
    let (asked, code) = on_terminal(&desk, (24, 200), &[], &delete, "n\n").await;
    assert!(code == 64 && asked.contains("Go on? [y/N]") && asked.contains("nothing was changed"), "{asked}");
    desk.run(&["session", "show", &session]).await.good();
    let (asked, code) = on_terminal(&desk, (24, 200), &[], &delete, "y\n").await;
    assert_eq!(code, 0, "{asked}");
    assert_eq!(desk.run(&["session", "show", &session]).await.code, 66);
    server.finish().await;
}
