//! `docs/CLI.md` says what `-h` says. `COLUMBA_BLESS=1 cargo test --test it cli::document` writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use clap::Command;
use columba::cli::exit::Exit;
use strum::{EnumMessage as _, IntoEnumIterator as _};

use super::run;

const BEGIN: &str =
    "<!-- From here on written by `COLUMBA_BLESS=1 cargo test --test it cli::document`. -->\n";

/// The help of a command and of everything below it. What a whole group takes is said once, with the group.
fn described(command: &mut Command, path: &str, text: &mut String) {
    let mut shown = command.clone().bin_name(path).term_width(100);
    if path.split(' ').count() > 2 {
        let is_shared = |argument: &clap::Arg| argument.get_help_heading() == Some("Server and answer");
        shown = shown.mut_args(|argument| if is_shared(&argument) { argument.hide(true) } else { argument });
    }
    let help = shown.render_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(text, "\n## {path}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()).unwrap();
    for below in
        command.get_subcommands_mut().filter(|below| below.get_name() != "help" && !below.is_hide_set())
    {
        let path = format!("{path} {}", below.get_name());
        described(below, &path, text);
    }
}

fn generated() -> String {
    let mut text = format!("{BEGIN}\n## Exit codes\n\n| code | what it says |\n|---|---|\n");
    for exit in Exit::iter() {
        writeln!(text, "| {} | {} |", exit as u8, exit.get_message().unwrap()).unwrap();
    }
    let mut command = columba::cli::command();
    command.build();
    described(&mut command, "columba", &mut text);
    text
}

#[test]
fn the_reference_says_what_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CLI.md");
    let found = fs::read_to_string(&path).unwrap();
    let (by_hand, written) = found.split_at(found.find(BEGIN).expect("the line where it begins"));
    let expected = generated();
    if env::var_os("COLUMBA_BLESS").is_some() {
        fs::write(&path, format!("{by_hand}{expected}")).unwrap();
        return;
    }
    let differing = written.lines().zip(expected.lines()).find(|(is, should)| is != should);
    assert!(
        written == expected,
        "docs/CLI.md is not what --help says, at {differing:?}; write it anew: COLUMBA_BLESS=1 cargo test --test it \
         cli::document"
    );
}

#[test]
fn no_command_and_no_flag_goes_unexplained_and_clap_finds_nothing_wrong() {
    fn look(command: &Command, path: &str, wrong: &mut Vec<String>) {
        if command.get_about().is_none() {
            wrong.push(path.to_owned());
        }
        for argument in command.get_arguments().filter(|argument| argument.get_help().is_none()) {
            wrong.push(format!("{path} {}", argument.get_id()));
        }
        for below in command.get_subcommands() {
            look(below, &format!("{path} {}", below.get_name()), wrong);
        }
    }
    let mut command = columba::cli::command();
    command.clone().debug_assert();
    command.build();
    let mut wrong = vec![];
    look(&command, "columba", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn shells_and_man_are_told_the_same_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell], &[]).await.good();
        for word in ["session", "check-config", "pair"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    let page = run(&["man"], &[]).await.good();
    assert!(page.contains(".TH columba 1"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man");
    run(&["man", "--out", out.to_str().unwrap()], &[]).await.good();
    for name in ["columba.1", "columba-serve.1", "columba-session.1", "columba-session-pair.1"] {
        assert!(out.join(name).exists(), "{name}");
    }
}
