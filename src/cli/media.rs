//! `columba media`: files that messages carry. They go from disk to server and back in pieces.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::api::{Api, escaped};
use super::exit::Failure;
use super::reply::{self, Column};
use super::screen::Screen;
use super::target::As;
use crate::domain::id::MediaId;

const FIELDS: [Column; 9] = [
    ("id", "/id"),
    ("way", "/direction"),
    ("session", "/session"),
    ("type", "/mime"),
    ("bytes", "/size"),
    ("sha256", "/sha256"),
    ("name", "/file_name"),
    ("where", "/state"),
    ("kept until", "/expires_at"),
];
/// What is said of a file of which nothing is known: the server looks at its bytes.
const UNKNOWN: &str = "application/octet-stream";

/// Files that messages carry. All of these need a tenant's key.
#[derive(Debug, Subcommand)]
pub enum Media {
    /// Upload a file, so that messages can carry it.
    Upload {
        /// The file.
        file: PathBuf,
        /// Its media type, where its bytes do not show it, such as text/csv.
        #[arg(long, value_name = "TYPE", default_value = UNKNOWN)]
        mime: String,
        /// What it is called, if not as on this disk.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Show what is known of one.
    Show {
        /// Which.
        #[arg(value_name = "med_…")]
        id: MediaId,
    },
    /// Download one. What came in is fetched from WhatsApp first, for which its session has to be connected.
    Get {
        /// Which.
        #[arg(value_name = "med_…")]
        id: MediaId,
        /// The file to make. One that exists is not replaced.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Remove one.
    Delete {
        /// Which.
        #[arg(value_name = "med_…")]
        id: MediaId,
    },
}

impl Media {
    /// Does it.
    pub async fn run(&self, api: &Api, screen: Screen) -> Result<(), Failure> {
        match self {
            Self::Upload { file, mime, name } => {
                let answer = api.upload(&path(file, name.as_deref()), file, mime).await?;
                let id = answer.id().to_owned();
                let next = format!("columba message send ses_… --to +… --document {id}");
                reply::done(screen, &answer, &format!("kept as {id}"), &next)
            }
            Self::Show { id } => {
                let answer = api.get(As::Tenant, &format!("/v1/media/{id}")).await?;
                reply::one(screen, &answer, &FIELDS)
            }
            Self::Get { id, to } => {
                let bytes = api.download(&format!("/v1/media/{id}/content"), to).await?;
                reply::gone(screen, &format!("{bytes} bytes in {}", to.display()))
            }
            Self::Delete { id } => {
                api.delete(As::Tenant, &format!("/v1/media/{id}")).await?;
                reply::gone(screen, &format!("{id} is gone"))
            }
        }
    }
}

/// Where a file is uploaded to, under the name it has on this disk or another.
fn path(file: &Path, name: Option<&str>) -> String {
    let own = file.file_name().and_then(|name| name.to_str());
    let named = name.or(own).map(|name| format!("?file_name={}", escaped(name)));
    format!("/v1/media{}", named.unwrap_or_default())
}

/// A file in a message: one on this disk, which is uploaded first, or `med_…`.
#[derive(Debug, Args)]
pub struct Attached {
    /// A picture: a file, or the id of one that is there (med_…).
    #[arg(long, value_name = "FILE", group = "attached")]
    image: Option<PathBuf>,
    /// A film.
    #[arg(long, value_name = "FILE", group = "attached")]
    video: Option<PathBuf>,
    /// A sound.
    #[arg(long, value_name = "FILE", group = "attached")]
    audio: Option<PathBuf>,
    /// A sound that is shown as recorded on the spot: Ogg Opus.
    #[arg(long, value_name = "FILE", group = "attached")]
    voice: Option<PathBuf>,
    /// Any file.
    #[arg(long, value_name = "FILE", group = "attached")]
    document: Option<PathBuf>,
    /// A sticker: WebP.
    #[arg(long, value_name = "FILE", group = "attached")]
    sticker: Option<PathBuf>,
    /// A line below it.
    #[arg(long, value_name = "TEXT", requires = "attached")]
    caption: Option<String>,
}

impl Attached {
    /// The fields of the message, once the file is there; none when there is none.
    pub async fn fields(&self, api: &Api) -> Result<Map<String, Value>, Failure> {
        let given = [
            ("image", &self.image),
            ("video", &self.video),
            ("audio", &self.audio),
            ("voice", &self.voice),
            ("document", &self.document),
            ("sticker", &self.sticker),
        ];
        let Some((word, file)) = given.into_iter().find_map(|(word, file)| Some((word, file.as_ref()?)))
        else {
            return Ok(Map::new());
        };
        let there = file.to_str().filter(|text| text.parse::<MediaId>().is_ok()).map(str::to_owned);
        let id = match there {
            Some(id) => id,
            None => api.upload(&path(file, None), file, UNKNOWN).await?.id().to_owned(),
        };
        let kind = if word == "voice" { "audio" } else { word };
        let mut held = Map::from_iter([("media".to_owned(), Value::from(id))]);
        if word == "voice" {
            held.insert("voice".to_owned(), true.into());
        }
        if let Some(caption) = &self.caption {
            held.insert("caption".to_owned(), caption.as_str().into());
        }
        Ok(Map::from_iter([("type".to_owned(), kind.into()), (kind.to_owned(), json!(held))]))
    }
}
