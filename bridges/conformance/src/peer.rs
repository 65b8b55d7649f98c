//! The supervisor's side of one bridge process, without the supervisor: it says what a check wants said, and hears.

use std::collections::{BTreeMap, VecDeque};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use columba_bridge_protocol as wire;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;
use wire::{
    Blob, Boot, Change, Down, Event, Hello, Record, ReplyOutcome, SessionKey, Up, VaultAnswer, VaultCall,
    VaultError, VaultHeader, VaultOutcome, Welcome,
};

/// Why a check did not pass.
pub type Failure = String;
/// What a check comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Heartbeats come this often here, so that a check need not wait long.
pub const HEARTBEAT_MS: u32 = 200;

/// What is checked.
#[derive(Clone)]
pub struct Target {
    /// Its program.
    pub program: String,
    /// And arguments.
    pub arguments: Vec<String>,
    /// Where bridges that can be pointed elsewhere are pointed.
    pub endpoint: String,
}

/// A bridge that was started and has said hello.
pub struct Bridge {
    /// What it said.
    pub hello: Hello,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Option<Lines<BufReader<OwnedReadHalf>>>,
    write: Option<OwnedWriteHalf>,
    /// Frames that came while something else was waited for.
    aside: VecDeque<Up>,
    /// What its sessions have in their vaults.
    pub vaults: BTreeMap<String, Vault>,
    last_id: u64,
    endpoint: Option<String>,
    _folder: TempDir,
}

/// One session's vault.
#[derive(Default)]
pub struct Vault {
    /// Its records.
    pub records: BTreeMap<(String, Vec<u8>), Blob>,
    /// Calls that were made, by their names.
    pub calls: Vec<&'static str>,
    /// What every call is answered, if it is an error.
    pub fails: Option<VaultError>,
}

fn told(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

/// A bridge before its hello.
pub struct Started {
    child: Child,
    stdin: ChildStdin,
    listener: UnixListener,
    folder: TempDir,
    token: String,
}

impl Target {
    /// Starts it, and says what `change` makes of the boot line.
    pub async fn start(&self, change: impl FnOnce(&mut Boot)) -> Outcome<Started> {
        self.start_with(|mut boot| {
            change(&mut boot);
            wire::encode(&boot).unwrap_or_default()
        })
        .await
    }

    /// Starts it, and says `line` instead of a boot line.
    pub async fn start_with(&self, line: impl FnOnce(Boot) -> Vec<u8>) -> Outcome<Started> {
        let folder = tempfile::tempdir().map_err(told)?;
        let socket = folder.path().join("bridge.sock");
        let listener = UnixListener::bind(&socket).map_err(told)?;
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program))?;
        let token = hex::encode(rand::random::<[u8; 32]>());
        let boot = Boot {
            protocol: wire::PROTOCOL,
            socket: socket.display().to_string(),
            token: token.clone(),
            supervisor: std::process::id(),
        };
        let mut stdin = child.stdin.take().ok_or("no standard input")?;
        stdin.write_all(&line(boot)).await.map_err(told)?;
        Ok(Started { child, stdin, listener, folder, token })
    }

    /// Starts it and welcomes it.
    pub async fn welcome(&self) -> Outcome<Bridge> {
        let mut bridge = self.start(|_| {}).await?.hello(self).await?;
        let media = bridge.media();
        std::fs::create_dir(&media).map_err(told)?;
        let welcome = Welcome {
            protocol: wire::PROTOCOL,
            heartbeat_ms: HEARTBEAT_MS,
            window: wire::WINDOW,
            media: media.display().to_string(),
        };
        bridge.say(&Down::Welcome(welcome)).await?;
        Ok(bridge)
    }
}

impl Started {
    /// How it ended, if it does in time.
    pub async fn exit(mut self, limit: Duration) -> Outcome<ExitStatus> {
        timeout(limit, self.child.wait())
            .await
            .map_err(|_| format!("runs still after {limit:?}"))?
            .map_err(told)
    }

    /// Its hello, which has to come in time and to fit.
    pub async fn hello(self, target: &Target) -> Outcome<Bridge> {
        let limit = Duration::from_millis(wire::HELLO_MS.into());
        let (stream, _) = timeout(limit, self.listener.accept())
            .await
            .map_err(|_| "no connection in time")?
            .map_err(told)?;
        let (read, write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let line = timeout(limit, lines.next_line()).await.map_err(|_| "no hello in time")?.map_err(told)?;
        let line = line.ok_or("it hung up before its hello")?;
        let Up::Hello(hello) = wire::decode(line.as_bytes()).map_err(told)? else {
            return Err("its first frame is no hello".to_owned());
        };
        if hello.token != self.token {
            return Err("the hello has not the token of the boot line".to_owned());
        }
        let can = hello.capabilities.contains(&wire::Capability::Endpoint);
        Ok(Bridge {
            hello,
            child: self.child,
            stdin: Some(self.stdin),
            lines: Some(lines),
            write: Some(write),
            aside: VecDeque::new(),
            vaults: BTreeMap::new(),
            last_id: 0,
            endpoint: can.then(|| target.endpoint.clone()),
            _folder: self.folder,
        })
    }
}

impl Bridge {
    /// The media folder.
    pub fn media(&self) -> std::path::PathBuf {
        self._folder.path().join("media")
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Says a frame.
    pub async fn say(&mut self, frame: &Down) -> Outcome {
        let line = wire::encode(frame).map_err(told)?;
        self.say_raw(&line).await
    }

    /// Says anything.
    pub async fn say_raw(&mut self, bytes: &[u8]) -> Outcome {
        let write = self.write.as_mut().ok_or("the connection is closed")?;
        write.write_all(bytes).await.map_err(told)
    }

    /// The connection ends; standard input stays open.
    pub fn hang_up(&mut self) {
        self.lines = None;
        self.write = None;
    }

    /// Standard input ends; the connection stays open.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// How it ended, if it does in time.
    pub async fn exit(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        timeout(limit, self.child.wait())
            .await
            .map_err(|_| format!("runs still after {limit:?}"))?
            .map_err(told)
    }

    /// The next frame that is no question to a vault; those are answered.
    async fn frame(&mut self) -> Outcome<Up> {
        loop {
            let lines = self.lines.as_mut().ok_or("the connection is closed")?;
            let line = lines.next_line().await.map_err(told)?.ok_or("it hung up")?;
            if line.len() >= wire::MAX_FRAME {
                return Err("a frame longer than allowed".to_owned());
            }
            match wire::decode(line.as_bytes()).map_err(told)? {
                Up::Vault { id, session, call } => {
                    let answer = self.vaults.entry(session.session).or_default().answer(call);
                    self.say(&Down::Vault { id, answer }).await?;
                }
                frame => return Ok(frame),
            }
        }
    }

    /// The first frame that is wanted, of those that wait and those that come. The others are kept.
    pub async fn find<T>(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Up) -> Option<T>,
    ) -> Outcome<T> {
        if let Some(at) = self.aside.iter().position(|frame| wanted(frame).is_some())
            && let Some(found) = self.aside.remove(at).and_then(|frame| wanted(&frame))
        {
            return Ok(found);
        }
        let search = async {
            loop {
                let frame = self.frame().await?;
                match wanted(&frame) {
                    Some(found) => return Ok(found),
                    None => self.aside.push_back(frame),
                }
            }
        };
        timeout(limit, search).await.map_err(|_| format!("{what}: not within {limit:?}"))?
    }

    /// Asks, and awaits the answer.
    pub async fn ask(
        &mut self,
        session: Option<&SessionKey>,
        command: wire::Command,
    ) -> Outcome<ReplyOutcome> {
        self.last_id += 1;
        let id = self.last_id;
        self.say(&Down::Command { id, session: session.cloned(), deadline_ms: 10_000, command }).await?;
        self.answer(id).await
    }

    /// Asks by JSON that these types may not be able to say.
    pub async fn ask_json(
        &mut self,
        session: Option<&SessionKey>,
        command: serde_json::Value,
    ) -> Outcome<ReplyOutcome> {
        self.last_id += 1;
        let id = self.last_id;
        let mut frame = serde_json::json!({ "t": "command", "id": id, "deadline_ms": 10_000, "do": command, "a_later_field": [1] });
        if let Some(key) = session {
            (frame["session"], frame["epoch"]) = (key.session.clone().into(), key.epoch.into());
        }
        self.say_raw(format!("{frame}\n").as_bytes()).await?;
        self.answer(id).await
    }

    async fn answer(&mut self, id: u64) -> Outcome<ReplyOutcome> {
        let wanted = move |frame: &Up| match frame {
            Up::Reply { id: of, outcome } if *of == id => Some(outcome.clone()),
            _ => None,
        };
        self.find("an answer", Duration::from_secs(15), wanted).await
    }

    /// Opens a session.
    pub async fn open(&mut self, key: &SessionKey) -> Outcome<ReplyOutcome> {
        let command = wire::Command::Open { proxy: None, endpoint: self.endpoint.clone() };
        self.ask(Some(key), command).await
    }

    /// The next event of a session.
    pub async fn event(&mut self, key: &SessionKey, limit: Duration) -> Outcome<(u64, Event)> {
        let wanted = |frame: &Up| match frame {
            Up::Event { session, seq, event } if session == key => Some((*seq, event.clone())),
            _ => None,
        };
        self.find("an event", limit, wanted).await
    }

    /// Events of a session up to its `closed`, each confirmed; their numbers have to be without gaps.
    pub async fn until_closed(&mut self, key: &SessionKey, limit: Duration) -> Outcome<Vec<Event>> {
        let mut events = vec![];
        loop {
            let (seq, event) = self.event(key, limit).await?;
            if seq != events.len() as u64 + 1 {
                return Err(format!("event {seq} where {} was due", events.len() + 1));
            }
            self.say(&Down::Confirm { session: key.clone(), seq: vec![seq] }).await?;
            let is_last = matches!(event, Event::Closed { .. });
            events.push(event);
            if is_last {
                return Ok(events);
            }
        }
    }
}

impl Vault {
    fn answer(&mut self, call: VaultCall) -> VaultOutcome {
        self.calls.push(match &call {
            VaultCall::Open => "open",
            VaultCall::Get { .. } => "get",
            VaultCall::Commit { .. } => "commit",
            VaultCall::List { .. } => "list",
            VaultCall::Wipe => "wipe",
            VaultCall::Close => "close",
        });
        if let Some(error) = self.fails {
            return VaultOutcome::Error(error);
        }
        VaultOutcome::Ok(match call {
            VaultCall::Open => {
                VaultAnswer::Header(VaultHeader { writer: None, clean: true, now_ms: 1_795_000_000_000 })
            }
            VaultCall::Get { kind, keys } => VaultAnswer::Values {
                values: keys
                    .iter()
                    .map(|key| self.records.get(&(kind.clone(), key.as_slice().to_vec())).cloned())
                    .collect(),
            },
            VaultCall::Commit { changes } => {
                for change in changes {
                    match change {
                        Change::Put { kind, key, value, .. } => {
                            self.records.insert((kind, key.as_slice().to_vec()), value);
                        }
                        Change::Del { kind, key } => {
                            self.records.remove(&(kind, key.as_slice().to_vec()));
                        }
                    }
                }
                VaultAnswer::Done
            }
            VaultCall::List { kind, prefix, after, limit, values } => {
                let of_kind = self.records.iter().filter(|((of, key), _)| {
                    let beyond = after.as_ref().is_none_or(|after| key.as_slice() > after.as_slice());
                    *of == kind && key.starts_with(prefix.as_slice()) && beyond
                });
                let mut records: Vec<Record> = of_kind
                    .map(|((_, key), value)| Record {
                        key: key.clone().into(),
                        value: values.then(|| value.clone()),
                    })
                    .take(limit as usize + 1)
                    .collect();
                let more = records.len() > limit as usize;
                records.truncate(limit as usize);
                VaultAnswer::Page { records, more }
            }
            VaultCall::Wipe => {
                self.records.clear();
                VaultAnswer::Done
            }
            VaultCall::Close => VaultAnswer::Done,
        })
    }
}
